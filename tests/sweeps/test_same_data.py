"""A sweep is of one data set, known by what is in its files."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps.attributes import DATA
from sweeps.search import carry_out, start
from sweeps.spec import SweepSpec, with_changes
from sweeps.study import change, create, load
from trainer.config import TrainConfig
from trainer.data.dataset import DataSet
from trainer.tracking import start_run

MakeSpec = Callable[..., SweepSpec]


def changed(root: Path) -> None:
    """Let two images change places, so that neither paths nor sizes tell."""
    one, other = sorted((root / "train").iterdir())[:2]
    bytes_of_one = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(bytes_of_one)


def test_a_sweep_goes_on_with_the_data_that_it_began_with(
    pretend: ModuleType, spec: MakeSpec, cars: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(cars, tmp_path / "cars"))
    of_copy = spec(fixed={"data": str(root)}, trials=2)
    carry_out(create(of_copy, None), fit=pretend.fit)
    changed(root)
    for go_on in (
        lambda: carry_out(change(load("test", None), trials=4), fit=pretend.fit),
        lambda: start(with_changes(of_copy, trials=4), None, fit=pretend.fit),
    ):
        with pytest.raises(ValueError, match=r"^data: .*has changed since sweep test began"):
            go_on()
        assert len(load("test", None).study.get_trials()) == 2
    changed(root)
    moved = root.rename(tmp_path / "aside")
    moved.rename(root)
    assert carry_out(load("test", None), fit=pretend.fit).finished == 4


def test_a_second_worker_with_other_data_is_refused(
    pretend: ModuleType, spec: MakeSpec, cars: Path, tmp_path: Path
) -> None:
    """Two machines see one path; what lies there differs while a trial of the first is running."""
    root = Path(shutil.copytree(cars, tmp_path / "cars"))
    of_copy = spec(fixed={"data": str(root)}, trials=2)

    def fit(config: TrainConfig, *, on_epoch: Any, **_: object) -> Any:
        changed(root)
        with pytest.raises(ValueError, match=r"^data: .*has changed since sweep test began"):
            start(of_copy, None, fit=pretend.fit)
        changed(root)
        return pretend.follow(pretend.scores(config), on_epoch)

    assert carry_out(create(of_copy, None), fit=fit).finished == 2


def test_what_came_of_nothing_may_be_corrected(
    pretend: ModuleType, spec: MakeSpec, cars: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(cars, tmp_path / "cars"))
    of_copy = spec(fixed={"data": str(root)}, trials=1)
    with pytest.raises(ValueError, match="nothing there"):
        carry_out(create(of_copy, None), fit=pretend.fit_that_refuses)
    changed(root)
    assert start(of_copy, None, fit=pretend.fit).finished == 1


def test_a_sweep_of_before_is_known_by_the_digest_of_its_runs(
    pretend: ModuleType, spec: MakeSpec, cars: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(cars, tmp_path / "cars"))
    sweep = create(spec(fixed={"data": str(root)}, trials=1), None)

    def fit(config: TrainConfig, *, on_epoch: Any, **_: object) -> Any:
        run = start_run(config, tags={"segscope.data_digest": DataSet.open(config).digest})
        run.finish("completed")
        return replace(pretend.follow(pretend.scores(config), on_epoch), run_id=run.id)

    carry_out(sweep, fit=fit)
    sweep.study._storage.set_study_user_attr(sweep.study._study_id, DATA, None)
    changed(root)
    with pytest.raises(ValueError, match=r"^data: .*has changed since sweep test began"):
        carry_out(change(load("test", None), trials=2), fit=fit)
    changed(root)
    assert carry_out(load("test", None), fit=fit).finished == 2
