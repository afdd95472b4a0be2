"""The commands as a user types them: exit codes, stdout, one line for a mistake."""

import json
import shlex
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainer.cli import main
from trainer.config import TrainConfig
from trainer.tracking import find_runs, get_run
from trainer.training import fitting
from trainer.wording import measured

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: Captured):  # type: ignore[no-untyped-def]
    """Call ``trainer`` with arguments; returns exit code, stdout and stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trainer", *map(str, arguments)])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def config_file(tiny: TrainConfig, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny.to_yaml())
    return path


def test_from_training_to_a_mask(  # type: ignore[no-untyped-def]
    run, machine: str, store: Path, config_file: Path, cars: Path, tmp_path: Path
):
    # In batches of one, as `evaluate` has them: equal shapes, so that no pixel may differ.
    once = ("--config", config_file, "--batch-size", "1")
    code, out, err = run("fit", *once, "--epochs", "4", "--json")
    result = json.loads(out)
    assert (code, result["status"], result["epochs"]) == (0, "completed", 4)
    assert set(result["best"]) == {"epoch", "val_dice", "val_miou"}
    assert "epoch   4/4" in err

    code, out, _ = run("register", result["run_id"], "--name", "cars", "--alias", "champion")
    assert (code, out.strip()) == (0, "models:/cars/1 @champion")
    pulled = tmp_path / "pulled"
    assert run("pull", "models:/cars@champion", "--out", pulled)[0] == 0

    image = tmp_path / "new.png"
    Image.open(next((cars / "train").iterdir())).resize((130, 77)).save(image)
    code, out, _ = run("predict", pulled, image, "--out", tmp_path / "masks", "--overlay", "--json")
    (pair,) = json.loads(out)
    with Image.open(pair["mask"]) as mask:
        assert (mask.mode, mask.size) == ("P", (130, 77))
        assert set(np.unique(np.array(mask))) <= {0, 1}
    assert (tmp_path / "masks/new_overlay.png").is_file()

    code, out, _ = run("evaluate", result["run_id"], "--json", "--boundary-iou")
    found = json.loads(out)
    assert set(found["splits"]) == {"train", "val", "test"}
    assert found["splits"]["val"]["dice"] == pytest.approx(result["best"]["val_dice"], abs=1e-9)
    assert found["precision"] == "float32"
    assert {"dice", "miou", "accuracy", "dice_per_image", "images", "iou"} <= set(found)
    assert 0 <= found["boundary_iou"] <= 1
    # The images are of two cars, of which no interval can be told.
    assert (found["groups"], found["intervals"]["dice"]) == (2, [None, None])

    code, out, _ = run("stability", result["run_id"], "--json")
    (row,) = json.loads(out)
    assert row["run_id"] == result["run_id"]
    assert row["stability/max_drawdown"] == pytest.approx(
        result["stability"]["stability/max_drawdown"]
    )

    code, out, _ = run("resume", result["run_id"], "--epochs", "5", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 5)


@pytest.mark.parametrize(
    ("machine", "precision", "eval_precision"),
    [
        ("bfloat16-1", "auto", "float32"),
        ("float32-2", "auto", "bfloat16"),
        ("bfloat16-2", "float32", "float32"),
        ("float32-1", "bfloat16", "float32"),
        ("float32-1", "bfloat16", "bfloat16"),
    ],
    indirect=["machine"],
)
def test_a_recorded_score_is_the_score_of_the_model_in_use(  # type: ignore[no-untyped-def]
    run, machine: str, store: Path, config_file: Path, precision: str, eval_precision: str
):
    # In batches of one, as `predict` has them: equal shapes, so that nothing may differ.
    arguments = ["--precision", precision, "--eval-precision", eval_precision, "--batch-size", "1"]
    _, out, err = run("fit", "--config", config_file, "--epochs", "2", *arguments, "--json")
    result = json.loads(out)
    trained = machine if precision == "auto" else precision
    assert f"training in {trained}, scores in {eval_precision}, on " in err
    recorded = find_runs("")[0].data
    assert recorded.params["train_dtype"] == trained
    run("register", result["run_id"], "--name", "cars", "--alias", "champion")
    for model in (result["run_id"], "models:/cars@champion"):
        _, out, err = run("evaluate", model, "--json")
        found = json.loads(out)
        for split, best in (("val", result["best"]["val_dice"]), ("test", None)):
            expected = recorded.metrics["test/dice"] if best is None else best
            assert found["splits"][split]["dice"] == pytest.approx(expected, abs=1e-9)
        assert found["precision"] == eval_precision
        assert f"masks computed in {eval_precision}\n" in err


def test_scores_of_before_are_told_as_of_an_unknown_arithmetic(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """A run of before its arithmetic was recorded: it has neither parameter nor field."""
    _, out, _ = run("fit", "--config", config_file, "--epochs", "1", "--json")
    run_id = json.loads(out)["run_id"]
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        unknown = "('eval_precision', 'train_dtype', 'processor', 'threads')"
        database.execute(f"DELETE FROM params WHERE key IN {unknown}")
        database.commit()
    path = Path(find_runs("")[0].info.artifact_uri.removeprefix("file://")) / "config.yaml"
    path.write_text("".join(x for x in path.open() if "eval_precision" not in x))

    code, out, err = run("evaluate", run_id, "--json")
    assert (code, json.loads(out)["precision"]) == (0, "float32")
    assert (
        "masks computed in float32; which arithmetic its recorded scores are of is unknown" in err
    )
    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", "bfloat16")
    code, _, err = run("resume", run_id, "--epochs", "2")
    assert code == 0
    assert "the epochs so far were scored in an arithmetic that was not recorded" in err
    # What it goes on in is known from now on, whatever the next machine would choose.
    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", "float32")
    assert "training in bfloat16, " in run("resume", run_id, "--epochs", "3")[2]
    noted = json.loads((path.parent / "environment.json").read_text())
    assert [part["after_epoch"] for part in noted["resumed"]] == [1, 2]
    assert {part["train_dtype"] for part in noted["resumed"]} == {"bfloat16"}


def test_perfect_masks_of_another_tool_score_one(run, cars: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    folder = tmp_path / "theirs"
    folder.mkdir()
    for path in (cars / "train_masks").iterdir():
        with Image.open(path) as mask:
            pixels = np.array(mask).astype(np.uint8) * 255
        Image.fromarray(pixels).save(folder / f"{path.stem.removesuffix('_mask')}.png")
    out = tmp_path / "scores"
    code, said, _ = run("evaluate", "--predictions", folder, "--data", cars, "--out", out, "--json")
    found = json.loads(said)
    assert (code, found["dice"], found["miou"], found["images"]) == (0, 1.0, 1.0, 24)
    assert (out / "all/confusion.json").is_file()
    next(folder.iterdir()).unlink()
    code, _, err = run("evaluate", "--predictions", folder, "--data", cars)
    assert code == 2
    assert "has no mask for" in err


def test_faulty_pairs_are_left_out_of_a_score_too(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, cars: Path, tmp_path: Path
):
    data = Path(shutil.copytree(cars, tmp_path / "copy"))
    _, out, _ = run("fit", "--config", config_file, "--data", data, "--epochs", "1")
    run_id = out.strip()
    scored = json.loads(run("evaluate", run_id, "--json")[1])["splits"]
    cut, gone = sorted((data / "train").iterdir())[:2]
    cut.write_bytes(cut.read_bytes()[:400])
    gone.unlink()
    code, _, err = run("evaluate", run_id, "--json")
    assert code == 2 and "1 fault; mend them, or leave those pairs out with --skip-faulty" in err
    code, out, err = run("evaluate", run_id, "--json", "--skip-faulty")
    found = json.loads(out)["splits"]
    assert code == 0 and "left out" in err and cut.name in err
    assert set(found) == set(scored)
    images = [sum(split["images"] for split in splits.values()) for splits in (found, scored)]
    assert images == [22, 24]


def test_seeds_have_the_batch_size_that_the_first_one_found(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
):
    left = iter([2, 4])
    monkeypatch.setattr(
        fitting, "find_batch_size", lambda *_: ({"batch_size": next(left)}, "as told")
    )
    code, out, err = run("fit", "--config", config_file, "--seeds", "2", "--batch-size", "auto")
    runs = [get_run(run_id).data for run_id in out.split()]
    assert (code, [each.params["batch_size"] for each in runs]) == (0, ["2", "2"])
    assert len({each.tags["segscope.seed_group"] for each in runs}) == 1
    lines = err.splitlines()
    for number, run_id in enumerate(out.split()):
        at = lines.index(f"seed {number}, {number + 1} of 2")
        name = get_run(run_id).info.run_name
        began = f"run {name} ({run_id}), kept in sqlite:///{store}/mlflow.db; to look at it: "
        assert lines[at + 1] == f"{began}dashboard"
    scores = [each.metrics["best/val_dice"] for each in runs]
    shown = measured(float(np.mean(scores)), float(np.std(scores, ddof=1)))
    concluded = [line for line in lines if line.startswith("best val/dice ")]
    assert concluded[0].startswith(f"best val/dice {shown} (mean ± standard deviation, n = 2; ")
    assert lines[-1] == (
        f"against another configuration: trainer compare {out.split()[0]} RUN_ID --all-seeds"
    )


def test_compare_tells_repeats_from_configurations(run, store: Path, config_file: Path):  # type: ignore[no-untyped-def]
    base = ("fit", "--config", config_file, "--epochs", "2")
    code, out, _ = run(*base, "--seeds", "2")
    repeats = out.split()
    assert (code, len(repeats)) == (0, 2)
    assert run("compare", *repeats)[0] == 2
    code, out, _ = run(*base, "--lr", "1e-12")
    other = out.strip()
    code, out, _ = run("compare", repeats[0], other, "--all-seeds", "--resamples", "500", "--json")
    (result,) = json.loads(out)
    assert (code, result["seeds"]) == (0, [2, 1])
    assert result["verdict"] == "nothing can be told with n = 6 images of 2 groups, 2 and 1 seeds"


def test_data_is_told_whole(run, cars: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    broken = Path(shutil.copytree(cars, tmp_path / "broken"))
    next((broken / "train_masks").iterdir()).unlink()
    code, out, _ = run("data", broken, "--json", "--sheet", tmp_path / "sheet.png")
    found = json.loads(out)
    assert (code, found["layout"], found["pairs"]) == (0, "carvana", 23)
    assert len([fault for fault in found["faults"] if fault["refuses"]]) == 1
    assert Image.open(tmp_path / "sheet.png").size[0] > 100


MISTAKES = {
    "no such folder": (["fit", "--data", "nowhere"], "does not exist"),
    "a negative learning rate": (["fit", "--lr", "-1"], "lr: -1.0 must be"),
    "an unknown field": (["fit", "--learning-rte", "1"], "(did you mean '--lr'?)\n"),
    "an unknown model": (["fit", "--model", "vnet"], "did you mean 'unet'"),
    "an unknown recipe": (["fit", "--recipe", "nope"], "known: camvid"),
    "an unknown command": (["fti"], "did you mean 'fit'"),
    "an unknown run": (["resume", "0" * 32], "there is no run"),
    "no model": (
        ["predict", "nowhere", __file__, "--out", "y"],
        "is no folder, registered model or run",
    ),
    "half a size": (["fit", "--image-size", "160"], "--image-size"),
    "one run to compare": (["compare", "0" * 32], "two or more"),
    "nothing to evaluate": (["evaluate"], "--predictions"),
    "a config that is not there": (["fit", "--config", "no.yaml"], "no.yaml: cannot be read"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_and_exit_code_2(run, store: Path, mistake: str):  # type: ignore[no-untyped-def]
    arguments, said = MISTAKES[mistake]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def spoil(folder: Path, how: str) -> None:
    image = sorted((folder / "train").iterdir())[0]
    mask = sorted((folder / "train_masks").iterdir())[0]
    if how == "empty folder":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "missing mask":
        mask.unlink()
    elif how == "another size":
        Image.new("P", (20, 20)).save(mask)
    else:
        image.write_bytes(image.read_bytes()[:300])


@pytest.mark.parametrize("how", ["empty folder", "missing mask", "another size", "truncated"])
def test_faulty_data_is_refused_before_there_is_a_run(
    run,  # type: ignore[no-untyped-def]
    store: Path,
    cars: Path,
    tmp_path: Path,
    how: str,
) -> None:
    folder = Path(shutil.copytree(cars, tmp_path / "cars"))
    spoil(folder, how)
    code, out, err = run("fit", "--data", folder)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert find_runs("") == []


def test_faulty_pairs_can_be_left_out(
    run, store: Path, config_file: Path, cars: Path, tmp_path: Path
):  # type: ignore[no-untyped-def]
    folder = Path(shutil.copytree(cars, tmp_path / "cars"))
    spoil(folder, "truncated")
    arguments = ("fit", "--config", config_file, "--data", folder, "--epochs", "1")
    code, _, err = run(*arguments, "--skip-faulty")
    assert code == 0
    assert "left out" in err


def test_a_server_that_is_not_there(run, tiny: TrainConfig, config_file: Path, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, _, err = run("fit", "--config", config_file)
    assert code == 2
    assert "cannot be reached" in err.strip().splitlines()[-1]


def test_what_was_inferred_is_told_and_what_cannot_be_known_is_asked(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, cars: Path, tmp_path: Path
):
    folder = tmp_path / "halves"
    shutil.copytree(cars / "train", folder / "photos")
    for half in ("left", "right"):
        shutil.copytree(cars / "train_masks", folder / f"{half}Mask")
        for path in (folder / f"{half}Mask").iterdir():
            path.rename(path.with_name(path.name.replace("_mask", "")))
    once = ("--config", config_file, "--data", folder, "--epochs", "1")
    code, out, err = run("fit", *once)
    assert (code, out) == (2, "")
    assert "leftMask/ (24 of 24), rightMask/ (24 of 24); say which with --masks" in err
    assert run("data", folder)[0] == 2
    assert json.loads(run("data", folder, "--masks", "leftMask", "--json")[1])["pairs"] == 24

    code, out, err = run("fit", *once, "--masks", "rightMask", "--json")
    result = json.loads(out)
    (stored,) = (store / "artifacts").glob(f"*/{result['run_id']}/artifacts")
    log = (stored / "log.txt").read_text()
    for told in (
        "data: layout folders, 24 pairs",
        "data: masks: values 0, 1; 0 is background, the other foreground (all 24 masks)",
        "data: classes, with their shares of the training pixels: background ",
        "data: images: train 12, val 6, test 6",
    ):
        assert told in err
        assert told in log
    noted = json.loads((stored / "dataset.json").read_text())["notes"]
    assert f"data: {noted[0]}" in err
    # The run's data is read again as the run read it.
    code, out, _ = run("evaluate", result["run_id"], "--json")
    assert json.loads(out)["splits"]["val"]["dice"] == pytest.approx(result["best"]["val_dice"])


def test_images_of_the_runs_split_that_are_gone_are_told(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, cars: Path, tmp_path: Path
):
    data = Path(shutil.copytree(cars, tmp_path / "copy"))
    run_id = run("fit", "--config", config_file, "--data", data, "--epochs", "1")[1].strip()
    image = min((data / "train").iterdir())
    image.unlink()
    next((data / "train_masks").glob(f"{image.stem}*")).unlink()
    code, _, err = run("evaluate", run_id)
    assert code == 2
    assert f"of the run's images 1 are not in {data} any more, such as {image.stem}" in err
    code, _, err = run("evaluate", run_id, "--data", data)
    assert code == 0 and "what the model was trained on may be among these images" in err
    assert run("evaluate", run_id, "--skip-faulty")[0] == 0


def test_what_ctrl_c_says_goes_on_when_it_is_pasted(  # type: ignore[no-untyped-def]
    run, store: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """In the second of three repeats: that run goes on, and the third is begun."""
    concluded, begun = fitting.conclude, []

    def interrupted(*arguments: Any) -> dict[str, float]:
        begun.append(arguments)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return concluded(*arguments)

    monkeypatch.setattr(fitting, "conclude", interrupted)
    code, out, err = run("fit", "--config", config_file, "--seeds", "3", "--epochs", "1")
    assert (code, len(out.split())) == (130, 1)
    *_, others, last = err.splitlines()
    assert last.startswith("trainer: interrupted; go on with: trainer resume ")
    assert others.startswith("1 other seed not begun; begin with: trainer fit ")
    for line in (last, others):
        words = shlex.split(line.rpartition("with: ")[2])
        assert run(*words[1:])[0] == 0
    runs = find_runs("")
    assert sorted(each.data.params["seed"] for each in runs) == ["0", "1", "2"]
    assert {each.data.tags["segscope.outcome"] for each in runs} == {"completed"}


def test_a_command_that_is_interrupted_says_how_it_is_begun_again(  # type: ignore[no-untyped-def]
    run, store: Path, cars: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("trainer.data.checking.inspection.inspect", interrupted)
        code, _, err = run("data", cars)
    again = err.splitlines()[-1].rpartition("begin again with: trainer ")[2]
    assert (code, shlex.split(again)) == (130, ["data", str(cars)])
    assert run(*shlex.split(again))[0] == 0
