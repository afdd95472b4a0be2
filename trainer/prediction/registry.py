"""Register a run's best model, give it an alias, and pull it: JSON and safetensors alone."""

import logging
import re
import shutil
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import version as installed
from importlib.resources import files
from pathlib import Path
from typing import Any

from trainer.analysis.headline import DEFAULT
from trainer.classification.config import ClassifyConfig
from trainer.config import TrainConfig
from trainer.config.parsing import from_yaml, scored_in
from trainer.config.reading import READING
from trainer.files import replacing_folder, write_json
from trainer.models import MODELS
from trainer.run_files import read_run_file
from trainer.tracking import download, get_run, promotions
from trainer.tracking.models import (
    create_version,
    download_version,
    find_alias,
    find_model,
    find_version,
    registered_models,
    set_alias,
    versions,
)
from trainer.tracking.naming import (
    LAST,
    SHOWN,
    described,
    is_whole_id,
    runs_named,
    the_one,
)
from trainer.tracking.runs import active_run, check_not_archived
from trainer.wording import counted

logger = logging.getLogger(__name__)

ADDRESS = "models:/"
CHAMPION = "champion"
FORMAT = 3  # of a model folder, as `model_folder.FORMATS` are
# What a registered model carries, so that it predicts where our packages are not installed.
SHIPPED = (
    "__init__.py",
    "names.py",
    "schema.py",
    "settings.py",
    "network/__init__.py",
    "network/arithmetic.py",
    "prediction/__init__.py",
    "prediction/model_folder.py",
    "prediction/predictor.py",
    "models/__init__.py",
    "models/architectures.py",
    "models/blocks.py",
    "models/resnet.py",
    *sorted({f"models/{one.place.split(':')[0].lstrip('.')}.py" for one in MODELS.values()}),
    "data/__init__.py",
    "data/geometry.py",
)
SCORED_IN, UNKNOWN = "scored_in", "unknown"
SELECTED_ON = "selected_on"
SHIPPED_AS = "segscope_model"
REQUIREMENTS = ("mlflow", "torch", "numpy", "pillow", "safetensors")
# What an architecture needs beside them.
ALSO_REQUIRED = {"backbone-unet": ("transformers",)}


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a registered model, where it came from and what it scored."""

    name: str
    version: str
    run_id: str | None
    aliases: tuple[str, ...]
    tags: dict[str, str]
    created: int

    @property
    def uri(self) -> str:
        """The address that `resolve_model`, the commands and MLflow take."""
        return f"models:/{self.name}/{self.version}"

    @property
    def scored_in(self) -> str:
        """The arithmetic of its recorded scores; ``unknown`` for one of before it was recorded."""
        return self.tags.get(SCORED_IN, UNKNOWN)

    @property
    def selected_on(self) -> str:
        """What chose it, on which images, in words; empty for one of before it was recorded."""
        return self.tags.get(SELECTED_ON, "")


def export_run(run_id: str, folder: Path) -> Path:
    """Write the best checkpoint of a run as a model folder and return it.

    The folder holds ``config.json``, ``model.safetensors``, and in ``origin.json`` the run and
    the split of its data. Raises ``ValueError`` when the run has no checkpoint yet, when it is
    archived, and when it is a classifier's.
    """
    run = active_run(run_id)
    if run.data.tags.get("segscope.kind") == ClassifyConfig.kind:
        raise ValueError(
            f"run: {run_id} is a classifier, which predicts no masks; name another run"
        )
    with (
        tempfile.TemporaryDirectory(prefix="segscope-") as scratch,
        replacing_folder(folder) as new,
    ):
        config = from_yaml(download(run_id, "config.yaml", Path(scratch)), stored=True)
        dataset = read_run_file(download(run_id, "dataset.json", Path(scratch)))
        split = read_run_file(download(run_id, "split.json", Path(scratch)))
        checkpoint = download(run_id, "checkpoints/best", Path(scratch))
        state = read_run_file(checkpoint / "state.json")
        if "model" not in state:
            raise ValueError(f"run: the checkpoint of {run_id} does not say which model it is of")
        shutil.copyfile(checkpoint / "model.safetensors", new / "model.safetensors")
        write_json(new / "config.json", _model_config(config, dataset, state["model"]), indent=2)
        # Whoever evaluates the model elsewhere must know which images it was trained on.
        origin = {
            "run_id": run_id,
            "root": dataset["root"],
            "digest": dataset["digest"],
            "split": split,
            # An evaluation elsewhere reads the data so again.
            "reading": {n: getattr(config, n) for n in READING if n != "split_file"},
            "scored_in": scored_in(run.data.params),
            # Masks that are predicted can so be stored as those that it learnt from.
            "mask_values": dataset.get("mask_values"),
        }
        write_json(new / "origin.json", origin)
    return folder


def register(run_id: str, name: str, *, alias: str | None = None) -> ModelVersion:
    """Register the best checkpoint of a run as a new version of ``name``.

    ``alias``, when given, then points at it. Raises ``ValueError`` when the run has no
    checkpoint or a damaged one, or the name or alias is one that MLflow does not take.
    """
    from trainer.prediction.predictor import Predictor  # late: listing models needs no torch

    _check_name(name)
    if alias is not None:
        _check_alias(alias)
    run = get_run(run_id)
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        workspace = Path(scratch)
        model = export_run(run_id, workspace / "model")
        opened = Predictor(model)  # What cannot be becomes no version.
        split = read_run_file(model / "origin.json")["split"]
        needed = (*REQUIREMENTS, *ALSO_REQUIRED.get(run.data.params["model"], ()))
        created = create_version(
            run_id,
            name,
            model_folder=model,
            channels=opened.channels,
            python_model=Path(str(files("trainer") / "prediction/pyfunc_model.py")),
            code=_shipped_code(workspace / SHIPPED_AS),
            requirements=[f"{package}=={_public(package)}" for package in needed],
            tags=_scores(run.data.metrics)
            | {
                SCORED_IN: scored_in(run.data.params) or UNKNOWN,
                SELECTED_ON: _selected_on(run.data, split),
            },
            workspace=workspace,
        )
    if alias is not None:
        _point(name, alias, str(created.version))
    return _as_version(find_version(name, str(created.version)))


def promote(name: str, version: str, *, alias: str = CHAMPION) -> ModelVersion:
    """Point ``alias`` at a version and return it.

    Where the alias pointed is noted, so that `roll_back` can go there. Raises ``ValueError`` when
    there is no such version, and when the run that it came from is archived.
    """
    _check_alias(alias)
    if origin := find_version(name, version).run_id:
        check_not_archived(origin)
    _point(name, alias, version)
    return _as_version(find_version(name, version))


def roll_back(name: str, *, alias: str = CHAMPION) -> ModelVersion:
    """Point ``alias`` at the version it pointed at before, and return that version.

    Raises ``ValueError`` when nothing is known of where it pointed.
    """
    known = promotions.before(promotions.history(name, alias), _pointed_at(name, alias))
    if not known:
        raise ValueError(f"model: nothing is known of where {alias} of {name} pointed before")
    set_alias(name, alias, known[-1])
    promotions.note(name, alias, known)
    return _as_version(find_version(name, known[-1]))


def pull(uri: str, folder: Path) -> Path:
    """Copy a registered model into ``folder``, which must be new or empty, and return it.

    The copy can be given wherever a model is asked for. Its ``artifacts/model`` is data; the
    rest is the code that MLflow's own loader would execute, which ours never does.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"out: {folder} is not empty; give a new folder")
    found = find(uri)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder.parent) as scratch:
        downloaded = download_version(found.name, found.version, Path(scratch) / "model")
        if folder.exists():
            folder.rmdir()
        shutil.move(downloaded, folder)
    return folder


def find(uri: str) -> ModelVersion:
    """Return the version that ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` names.

    Raises ``ValueError`` when the address is malformed or there is no such version.
    """
    match = re.fullmatch(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d+))", uri)
    if match is None:
        raise ValueError(f"model: {uri!r} is neither models:/NAME@ALIAS nor models:/NAME/VERSION")
    name = match["name"]
    if match["alias"] is not None:
        return _as_version(find_alias(name, match["alias"]))
    return _as_version(find_version(name, match["version"]))


def resolve_model(model: str, scratch: Path) -> Path:
    """Return the model folder that a word stands for: see `settled`.

    What has to be fetched is written below ``scratch``. Raises ``ValueError`` when there is no
    such model.
    """
    model = settled(model)
    if model.startswith(ADDRESS):
        return _data_folder(pull(model, scratch / "pulled"))
    if Path(model).is_dir():
        return _data_folder(Path(model))
    return export_run(model, scratch / "exported")


def settled(model: str) -> str:
    """Return what a word for a model means, as what means the same tomorrow.

    In this order: a ``models:/`` address and a folder that is there, as they are; else as
    `model_named` has it.
    """
    is_folder = not model.startswith(ADDRESS) and Path(model).is_dir()
    return model if is_folder else model_named(model)


def model_named(word: str) -> str:
    """Return the address or the run id of the model that a word means; what is found is logged.

    In this order: a ``models:/`` address and a run's id in full, as they are; ``last``, the newest
    run; else the champion of the registered model of that name, or a run as `run_named` has it.
    Raises ``ValueError`` where none or several fit, a model and a run among them, listing the
    nearest, and for a registered model without a champion.
    """
    if word.startswith(ADDRESS) or is_whole_id(word):
        return word
    runs = runs_named(word)
    record = None if word == LAST else find_model(word)
    if record is None:
        missing = f"model: {word!r} is no folder, registered model or run of this store"
        return the_one(word, runs, missing="" if runs else f"{missing}{_nearest(word)}")
    if runs:
        raise ValueError(
            f"model: {word!r} is a registered model and a run, {described(runs[:1])[0]}; say "
            f"models:/{word}@{CHAMPION}, or the run's id"
        )
    return _champion(word, record)


def version_named(word: str) -> str:
    """Return the address of a version: that given, or the champion of a plain name's model."""
    if word.startswith(ADDRESS):
        return word
    record = find_model(word)
    if record is None:
        raise ValueError(f"model: there is no registered model {word!r}{_nearest(word)}")
    return _champion(word, record)


def _nearest(name: str) -> str:
    close = get_close_matches(name, [model.name for model in registered_models()])
    return f"; nearest registered model: {', '.join(close)}" if close else ""


def _champion(name: str, record: Any) -> str:
    """Return the address of a registered model's champion; ``ValueError`` listing what there is."""
    version = record.aliases.get(CHAMPION)
    if version is None:
        known = [f"models:/{name}@{alias}" for alias in sorted(record.aliases)]
        known += [f"models:/{name}/{one.version}" for one in versions(name)]
        listed = ", ".join(known[:SHOWN]) + ", …" * (len(known) > SHOWN)
        raise ValueError(
            f"model: {name!r} has no {CHAMPION}; say which: {listed or 'it has no version'}"
        )
    logger.info("%s is models:/%s/%s, its %s", name, name, version, CHAMPION)
    return f"{ADDRESS}{name}/{version}"


def list_models() -> dict[str, list[ModelVersion]]:
    """Return the versions of every registered model by its name, newest first."""
    return {
        model.name: [_as_version(version, model.aliases) for version in versions(model.name)]
        for model in registered_models()
    }


def _point(name: str, alias: str, version: str) -> None:
    noted = promotions.moved(promotions.history(name, alias), _pointed_at(name, alias), version)
    set_alias(name, alias, version)
    promotions.note(name, alias, noted)


def _pointed_at(name: str, alias: str) -> str | None:
    try:
        return str(find_alias(name, alias).version)
    except ValueError:
        return None


def _data_folder(folder: Path) -> Path:
    inner = folder / "artifacts" / "model"
    return inner if inner.is_dir() else folder


def _model_config(
    config: TrainConfig, dataset: dict[str, Any], architecture: dict[str, Any]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": architecture,
        "classes": dataset["classes"],
        "image_size": config.plain().get("image_size"),  # None where images keep their own.
        "geometry": config.geometry,
        "mean": dataset["mean"],
        "std": dataset["std"],
        "precision": config.eval_precision,
        "value_range": config.value_range,
    }


def _shipped_code(folder: Path) -> Path:
    source = files("trainer")
    for name in SHIPPED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def _scores(metrics: dict[str, float]) -> dict[str, str]:
    shown = ("best/val_dice", "best/val_miou", "best/epoch", "test/dice", "test/miou")
    return {key.replace("/", "."): f"{metrics[key]:.6g}" for key in shown if key in metrics}


def _selected_on(logged: Any, split: dict[str, list[str]]) -> str:
    """Say what chose a run's model, and whether any score of it is of images that chose nothing."""
    monitor = logged.params.get("monitor", DEFAULT)
    images = counted(len(split.get("val", ())), "validation image")
    chosen = f"its best epoch by {monitor} on {images}"
    if sweep := logged.tags.get("segscope.sweep"):
        chosen += f", in the sweep {sweep}, which judges its trials on the same images"
    if not any(key.startswith("test/") for key in logged.metrics):
        return f"{chosen}; no score is of images that chose nothing"
    return f"{chosen}; the test scores are of {len(split.get('test', ()))} that chose nothing"


def _as_version(found: Any, aliases: dict[str, str] | None = None) -> ModelVersion:
    own = [a for a, v in aliases.items() if str(v) == str(found.version)] if aliases else None
    return ModelVersion(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id,
        aliases=tuple(sorted(own if own is not None else found.aliases or ())),
        tags=dict(found.tags or {}),
        created=int(found.creation_timestamp),
    )


def _public(package: str) -> str:
    # A CPU build calls itself 2.13.0+cpu, which no registry offers elsewhere.
    return installed(package).split("+")[0]


def _check_name(name: str) -> None:
    if not name.strip() or any(c in name for c in "/:@"):
        raise ValueError(f"name: {name!r} must not be empty or hold any of / : @")


def _check_alias(alias: str) -> None:
    if not re.fullmatch(r"[\w-]+", alias) or re.fullmatch(r"v\d+|latest", alias, re.IGNORECASE):
        raise ValueError(f"alias: {alias!r} must be letters, digits, - and _, and not like v1")
