"""Nothing that is read is executed: no loader unpickles, and a planted pickle never runs."""

import ast
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from tests.trainer.model_folders import model_folder, network
from trainer import yaml_files
from trainer.data.cache.decoded import ITEMS, _read_table
from trainer.data.collection import MaskCoding
from trainer.data.files.reading import read_image, read_mask
from trainer.evaluation.per_image import SCHEMA, read_part, write_part
from trainer.evaluation.samples import read_samples
from trainer.prediction.predictor import Predictor
from trainer.training.checkpoints import load_optimizer, load_state, load_weights

ROOT = Path(__file__).parents[2]
OURS = ("trainer", "sweeps", "dashboard", "turntable", "scripts", "benchmarks")
MODULES = ("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
CALLS = ("eval", "exec", "pd.read_pickle", "pandas.read_pickle")
UNSAFE_YAML = ("yaml.unsafe_", "yaml.full_", "yaml.load_all")
SAFE_LOADERS = ("_Names", "_Words", "SafeLoader", "CSafeLoader")


def executing(source: str) -> list[str]:
    """Return what in a module's text may execute what it reads, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        unpickles = any(name.split(".")[0] in MODULES for name in names)
        if unpickles or (isinstance(node, ast.Call) and _executes(node)):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def _executes(call: ast.Call) -> bool:
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if name in CALLS or name.startswith(UNSAFE_YAML):
        return True
    if name in ("torch.load", "torch.jit.load"):
        return keywords.get("weights_only") != "True"
    if name in ("np.load", "numpy.load") or (last == "read_array" and "npy" in name):
        return keywords.get("allow_pickle") != "False"
    if name == "yaml.load":
        loader = keywords.get("Loader", "")
        return not loader or not set(loader.replace(" if names else ", " ").split()) <= set(
            SAFE_LOADERS
        )
    return keywords.get("allow_pickle", "False") != "False"


def test_no_module_of_ours_unpickles_or_evaluates() -> None:
    files = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 150
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := executing(path.read_text(encoding="utf-8")))
    }
    assert found == {}
    for loader in (yaml_files._Names, yaml_files._Words):
        assert issubclass(loader, yaml.SafeLoader)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import numpy as np; np.load(path)",
        "np.load(path, allow_pickle=True)",
        "npy.read_array(file, allow_pickle=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "pd.read_pickle(path)",
        "eval(text)",
        "np.save(path, array, allow_pickle=True)",
    ],
)
def test_the_scan_finds_what_it_must(line: str) -> None:
    assert executing(line)
    assert not executing("np.load(path, allow_pickle=False); model.eval(); json.load(file)")


class Payload:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.witness), "w"))


def as_pickle(payload: Payload) -> bytes:
    return pickle.dumps(payload)


def as_torch(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    torch.save({"first.0.weight": payload}, buffer)
    return buffer.getvalue()


def as_objects(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def as_archive(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, sizes=np.array([payload], dtype=object))
    return buffer.getvalue()


def as_yaml(payload: Payload) -> bytes:
    return f"lr: !!python/object/apply:builtins.open ['{payload.witness}', 'w']\n".encode()


def as_parquet(payload: Payload) -> bytes:
    """Return a part whose column is of a type that Arrow once unpickled."""
    kind = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(payload),
    }
    fields = [pa.field("epoch", pa.int32(), metadata=kind), *list(SCHEMA)[1:]]
    buffer = io.BytesIO()
    pq.write_table(pa.schema(fields).empty_table(), buffer)
    return buffer.getvalue()


FORMS = (as_pickle, as_torch, as_objects, as_archive, as_yaml, as_parquet)


def plant_in_model(folder: Path, content: bytes) -> None:
    for name in ("model.safetensors", "config.json"):
        model = model_folder(folder / f"of {name}")
        (model / name).write_bytes(content)
        with pytest.raises(ValueError, match="model: "):
            Predictor(model)


def plant_in_checkpoint(folder: Path, content: bytes) -> None:
    for name in ("model.safetensors", "optimizer.safetensors", "state.json"):
        (folder / name).write_bytes(content)
    model = network(1)
    for read in (
        lambda: load_state(folder),
        lambda: load_weights(folder, model),
        lambda: load_optimizer(folder, torch.optim.SGD(model.parameters())),
    ):
        with pytest.raises(ValueError, match="checkpoint: "):
            read()
    (folder / "state.json").write_text('{"optimizer": {"state": {}, "param_groups": [{}]}}')
    with pytest.raises(ValueError, match=r"cannot read .*optimizer\.safetensors"):
        load_optimizer(folder, torch.optim.SGD(model.parameters()))


def plant_in_cache(folder: Path, content: bytes) -> None:
    (folder / ITEMS).write_bytes(content)
    assert _read_table(folder, with_pixels=False) is None


def plant_in_part(folder: Path, content: bytes) -> None:
    confusion = np.ones((1, 2, 2), np.int64)
    whole = {"images": ["a"], "classes": ["b", "c"], "confusion": confusion}
    part = write_part(folder, epoch=1, lr=0.1, grad_norm=1.0, **whole)  # type: ignore[arg-type]
    part.write_bytes(content)
    try:
        assert read_part(part).empty  # the one form that is Parquet holds no rows
    except ValueError as error:
        assert "arquet" in str(error)


def plant_in_samples(folder: Path, content: bytes) -> None:
    (folder / "index.json").write_bytes(content)
    with pytest.raises(ValueError):
        read_samples(folder)
    (folder / "index.json").write_text('{"names": ["a"], "sizes": [[1, 1]], "classes": []}')
    (folder / "images.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"images\.png: is not an image"):
        read_samples(folder)


def plant_in_data(folder: Path, content: bytes) -> None:
    for name in ("a.png", "a.npy", "a.npz", "a.tif"):
        (folder / name).write_bytes(content)
        for read in (read_image, lambda path: read_mask(path, MaskCoding(values={0: 0}))):
            with pytest.raises(ValueError, match=name):
                read(folder / name)


def plant_in_configuration(folder: Path, content: bytes) -> None:
    (folder / "config.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.yaml"):
        yaml_files.read_yaml(folder / "config.yaml")


PLACES = (
    plant_in_model,
    plant_in_checkpoint,
    plant_in_cache,
    plant_in_part,
    plant_in_samples,
    plant_in_data,
    plant_in_configuration,
)


@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_planted_payload_never_runs(
    tmp_path: Path, plant: Callable[[Path, bytes], None], form: Callable[[Payload], bytes]
) -> None:
    (tmp_path / "read").mkdir()
    witness = tmp_path / "executed"
    plant(tmp_path / "read", form(Payload(witness)))
    assert not witness.exists()


def test_the_payload_would_run(tmp_path: Path) -> None:
    """Guard the guard: one that never runs anywhere would prove nothing."""
    for number, (form, read) in enumerate(
        (
            (as_pickle, pickle.loads),
            (as_torch, lambda it: torch.load(io.BytesIO(it), weights_only=False)),
            (as_objects, lambda it: np.load(io.BytesIO(it), allow_pickle=True)),
            (as_yaml, yaml.unsafe_load),
        )
    ):
        witness = tmp_path / str(number)
        read(form(Payload(witness)))
        assert witness.exists(), form
