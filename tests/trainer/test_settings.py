"""Settings belong to what reads them: properties of all components, and a model that is added."""

import ast
import inspect
import itertools
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sweeps.cli import main as sweeps_main
from sweeps.study import load as load_sweep
from trainer.cli import main as trainer_main
from trainer.config import General, TrainConfig, field_names, reads
from trainer.config.parsing import from_mapping, from_yaml
from trainer.config.roles import ROLES
from trainer.models import MODELS
from trainer.settings import GIVEN, LEFT_OUT, Component, Role, load
from trainer.training.optimizers import weight_groups
from trainer.training.schedules import Length

GENERAL = {field.name for field in fields(General)}
COMPONENTS = [(role, name) for role in ROLES for name in role.table]
FOREIGN = [(r, n, s) for r, n in COMPONENTS for s in r.names() if n not in r.having(s)]
Told = Callable[..., tuple[int, str, str]]


def named(value: object) -> str:
    return value.field if isinstance(value, Role) else str(value)


def both(roles: tuple[Role, Role]) -> str:
    return " and ".join(role.field for role in roles)


def chosen(role: Role, name: str) -> dict[str, Any]:
    """Return the field that chooses a component."""
    return {role.field: {GIVEN: 2, LEFT_OUT: None}.get(name, name)}


class Seen:
    """Settings that note which of them are read."""

    def __init__(self, settings: object) -> None:
        self.read: set[str] = set()
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self._settings, name)


BUILT: dict[str, Callable[[Any, Seen], object]] = {
    "optimizer": lambda build, seen: build(weight_groups(nn.Linear(2, 2), seen), seen),
    "loss": lambda build, seen: build(seen, 2, lambda _: None),
    "augment": lambda build, seen: build(seen),
    "schedule": lambda build, seen: build(
        load("optimizer", "sgd", ROLES[6].table)(
            nn.Linear(2, 2).parameters(), TrainConfig(optimizer="sgd").settings("optimizer")
        ),
        seen,
        Length(epochs=3, steps=2),
    ),
}


@pytest.mark.parametrize(
    ("role", "name"), [(r, n) for r, n in COMPONENTS if r.field in BUILT], ids=named
)
def test_a_component_reads_all_its_settings_and_no_other(role: Role, name: str) -> None:
    settings = TrainConfig(**chosen(role, name)).settings(role.field)
    seen = Seen(settings)
    BUILT[role.field](load(role.field, name, role.table), seen)
    assert seen.read == set(settings.names())


@pytest.mark.parametrize("name", MODELS)
def test_a_networks_arguments_are_its_settings(name: str) -> None:
    network = load("model", name, MODELS, "trainer.models")
    arguments = set(inspect.signature(network).parameters) - {"in_channels", "out_channels"}
    assert arguments == set(MODELS[name].settings.names())


@pytest.mark.parametrize("name", MODELS)
def test_a_models_settings_know_its_stride(name: str) -> None:
    settings = TrainConfig(model=name).settings("model")
    network = load("model", name, MODELS, "trainer.models")
    with torch.device("meta"):
        assert network(**vars(settings)).stride == settings.stride


def test_a_name_belongs_to_one_role_only() -> None:
    names = [name for role in ROLES for name in role.names()]
    assert len(names) == len(set(names))
    assert not GENERAL & set(names)
    assert {role.field for role in ROLES} <= GENERAL


@pytest.mark.parametrize("role", ROLES, ids=named)
def test_what_two_components_share_means_the_same(role: Role) -> None:
    for name in role.names():
        kinds = [role.table[each].settings for each in role.having(name)]
        types = {str(kind.__annotations__.get(name, "")) for kind in lines(kinds)}
        texts = {helps(kind).get(name) for kind in lines(kinds)}
        assert len(types - {""}) == len(texts - {None}) == 1, name


def lines(kinds: list[type]) -> Iterator[type]:
    """Yield the classes and all that they extend."""
    for kind in kinds:
        yield from kind.__mro__[:-1]


def helps(kind: type) -> dict[str, str]:
    """Return the text beneath each field that a class itself declares."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    return {
        node.target.id: str(ast.literal_eval(following.value))
        for node, following in itertools.pairwise(body.body)
        if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr)
        if isinstance(node.target, ast.Name)
    }


@pytest.mark.parametrize(
    "kind", [General, *dict.fromkeys(role.table[n].settings for role, n in COMPONENTS)]
)
def test_every_field_has_help(kind: type) -> None:
    told = {name: text for each in lines([kind]) for name, text in helps(each).items()}
    for field in fields(kind):
        text = told[field.name]
        assert len(text) > 8, field.name
        assert text.endswith(".") and "\n" not in text, field.name


@pytest.mark.parametrize("roles", list(itertools.combinations(ROLES, 2)), ids=both)
def test_every_pair_of_components_is_a_configuration(roles: tuple[Role, Role]) -> None:
    groups: dict[str, dict[str, str]] = {}
    first, second = roles
    for one, other in itertools.product(first.table, second.table):
        config = TrainConfig(**chosen(first, one), **chosen(second, other))
        assert all(reads(config.values(), name) for name in config.values())
        read = {**config.to_params(), "cache": "", "cache_limit_gib": ""}
        assert groups.setdefault(config.seed_group(), read) == read


@pytest.mark.parametrize(("role", "name", "setting"), FOREIGN, ids=named)
def test_a_setting_of_another_is_refused_by_name(role: Role, name: str, setting: str) -> None:
    owner = TrainConfig(**chosen(role, role.having(setting)[0]))
    value = getattr(owner, setting)
    makers: list[Callable[..., TrainConfig]] = [
        TrainConfig,
        owner.replace,
        lambda **values: from_mapping(values),
    ]
    for make in makers:
        with pytest.raises(ValueError) as refused:
            make(**chosen(role, name), **{setting: value})
        message = str(refused.value)
        assert message.startswith(f"{setting}: ") and "\n" not in message
        who = [role.field] if role.having(setting) == [GIVEN] else role.having(setting)
        assert all(each in message for each in who)
    with pytest.raises(AttributeError, match=setting):
        getattr(TrainConfig(**chosen(role, name)), setting)


@pytest.mark.parametrize(("role", "name", "setting"), FOREIGN, ids=named)
def test_what_is_not_read_makes_no_other_seed_group(role: Role, name: str, setting: str) -> None:
    plain = TrainConfig(**chosen(role, name))
    others = {
        "image_size": [64, 64],
        "level_widths": [2, 4],
        "deep_supervision": True,
        "nesterov": True,
        "pretrained": True,
    }
    other = others.get(setting, 1)
    written = {**plain.plain(), setting: other}
    assert from_mapping(written, leave_out=True) == plain


def test_switching_keeps_what_both_have() -> None:
    sgd = TrainConfig(optimizer="sgd", lr=0.5, momentum=0.3)
    adam = sgd.replace(optimizer="adam")
    assert (adam.lr, "momentum" in adam.values()) == (0.5, False)
    assert adam.replace(optimizer="rmsprop").momentum == 0.9


def test_the_sentence() -> None:
    with pytest.raises(ValueError, match=r"^momentum: adam has none; sgd and rmsprop have$"):
        TrainConfig(momentum=0.5)


@pytest.mark.parametrize("written", [3, "2", True, None, 2, 1])
def test_a_later_format_is_refused(written: object, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"format: {json.dumps(written)}\nlr: 0.5\n")
    if written is None or (written in (1, 2) and written is not True):
        assert from_yaml(path).lr == 0.5
        return
    with pytest.raises(ValueError, match=r"format: .* this version reads 1 to 2"):
        from_yaml(path)


# The command line


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return what calls ``trainer`` or ``sweeps`` and returns code, output and errors."""

    def call(program: str, *words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
        try:
            code = {"trainer": trainer_main, "sweeps": sweeps_main}[program]()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("flags", [[], ["--optimizer", "sgd", "--patience", "2", "--folds", "3"]])
def test_help_shows_what_is_chosen_and_where_the_rest_is(told: Told, flags: list[str]) -> None:
    code, shown, _ = told("trainer", "fit", *flags, "--help")
    closing = [line for line in shown.splitlines() if ": with --" in line]
    options = shown.removesuffix("\n".join([*closing, ""]))
    assert options != shown
    config = TrainConfig(**({"optimizer": "sgd", "patience": 2, "folds": 3} if flags else {}))
    assert code == 0
    for name in field_names():
        flag = f"--{name.replace('_', '-')}"
        assert (f"{flag} " in options or f"{flag}," in options) == (name in config.values()), name
        said = any(line.startswith(f"{flag}: ") for line in closing)
        assert said != (name in config.values()), name
    if not flags:
        assert "--momentum: with --optimizer sgd or rmsprop" in closing
        assert "--min-delta: with --patience" in closing


def test_a_flag_of_another_component_is_refused(told: Told) -> None:
    for flag in (["--momentum", "0.5"], ["--momentum=0.5"]):
        code, _, said = told("trainer", "fit", *flag)
        assert (code, said) == (2, "trainer: momentum: adam has none; sgd and rmsprop have\n")


# A model with a setting of its own: its module, one line in the table, one test class.

NETWORK = '''
from dataclasses import dataclass

import torch
from torch import nn

from trainer.models.architectures import ModelSettings


class Flat(nn.Sequential):
    """Convolutions at the image's own scale."""

    stride = 1

    def __init__(self, *, in_channels=3, out_channels=1, width=4, kernel_size=3):
        super().__init__(
            nn.Conv2d(in_channels, width, kernel_size, padding=kernel_size // 2),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, 1),
        )


@dataclass(frozen=True, kw_only=True)
class FlatSettings(ModelSettings):
    width: int = 4
    """Channels between the two convolutions."""
    kernel_size: int = 3
    """Side of the convolution kernels; odd."""
'''


@pytest.fixture
def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a model with a setting of its own, and one that it shares with the U-Net."""
    (tmp_path / "flat_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "flat_network", raising=False)
    settings = import_module("flat_network").FlatSettings
    monkeypatch.setitem(MODELS, "flat", Component(settings, "flat_network:Flat"))


@pytest.fixture
def small(cars: Path) -> list[str]:
    """Return flags that train in about a second, whatever the model."""
    flags = "--image-size 32 48 --epochs 1 --batch-size 4 --samples 1 --val-fraction 0.25 "
    return ["--data", str(cars), *(flags + "--test-fraction 0.25 --cache ram").split()]


@pytest.mark.usefixtures("flat", "store")
def test_an_added_model_trains_and_is_used(told: Told, small: list[str], tmp_path: Path) -> None:
    _, shown, _ = told("trainer", "fit", "--model", "flat", "--help")
    assert "Channels between the two convolutions." in shown
    assert "--depth: with --model unet" in shown
    assert "--width: with --model flat" in told("trainer", "fit", "--help")[1]
    code, _, said = told("trainer", "fit", *small, "--model", "flat", "--depth", "2")
    assert code == 2
    assert re.fullmatch(r"trainer: depth: flat has none; unet, .+ and [a-z]+ have\n", said)
    code, out, said = told("trainer", "fit", *small, "--model", "flat", "--width", "5")
    assert code == 0, said
    run_id = out.strip()
    from trainer.tracking import get_run

    run = get_run(run_id)
    assert run.data.params["width"] == "5"
    assert not {"depth", "base_channels"} & run.data.params.keys()
    assert run.info.run_name == "flat lr 0.001 batch 4 kernel 3 seed 0"
    code, out, said = told("trainer", "evaluate", run_id, "--split", "val", "--json")
    assert code == 0, said
    code, _, said = told("trainer", "resume", run_id, "--epochs", "2")
    assert code == 0, said


@pytest.mark.usefixtures("flat", "store")
def test_an_added_models_setting_is_searched(told: Told, small: list[str], tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "space: {model: [unet, flat], width: [2, 3], depth: [1], kernel_size: [3]}\n"
        "fixed: {base-channels: 2}\nsampler: grid\npruner: none\ntrials: 9\n"
    )
    code, _, said = told("sweeps", "run", path, *small)
    assert code == 0, said
    found = [trial.params for trial in load_sweep("models", None).trials()]
    assert found == [
        {"model": "unet", "kernel_size": 3, "depth": 1},
        {"model": "flat", "kernel_size": 3, "width": 2},
        {"model": "flat", "kernel_size": 3, "width": 3},
    ]
