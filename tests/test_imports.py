"""Who may import whom, as docs/architecture.md has it.

What one line shows, ruff holds, by a ruff.toml in each package; what is reached by way of other
modules, or depends on a file's name, is held here over the syntax trees.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from trainer.models import MODELS
from trainer.prediction.registry import SHIPPED

ROOT = Path(__file__).parent.parent
PROGRAMS = ("trainer", "sweeps", "dashboard")
PACKAGES = (*PROGRAMS, "turntable")

# As listed in docs/architecture.md; what lies in a package on the list is on it too.
TORCH_FREE = (
    "trainer.config",
    "trainer.config.parsing",
    "trainer.config.formats",
    "trainer.config.roles",
    "trainer.config.recipes",
    "trainer.catalogue",
    "trainer.catalogue.data",
    "trainer.catalogue.losses",
    "trainer.catalogue.optimizers",
    "trainer.catalogue.schedules",
    "trainer.settings",
    "trainer.names",
    "trainer.wording",
    "trainer.exports",
    "trainer.tables",
    "trainer.palette",
    "trainer.files",
    "trainer.yaml_files",
    "trainer.schema",
    "trainer.run_files",
    "trainer.store",
    "trainer.tracking",
    "trainer.prediction.registry",
    "trainer.analysis",
    "trainer.evaluation.per_image",
    "trainer.classification.config",
    "trainer.classification.judging",
    "trainer.classification.labels",
    "trainer.data",
    "turntable",
    # Not in the document's list, and just as much what keeps `--help` and the dashboard light:
    "trainer.cli",
    "trainer.command_line",
    "trainer.config.flags",
    "trainer.commands",
    "trainer.evaluation.results",
    "trainer.evaluation.best_scores",
    "trainer.evaluation.samples",
    "trainer.analysis.scores",
)
MAY_IMPORT_TORCH = ("trainer.data.loading",)
PAGES = tuple(sorted(path.parent.name for path in (ROOT / "dashboard").glob("*/page.py")))
MAY_IMPORT_STREAMLIT = (
    "dashboard.app",
    "dashboard.gate",
    "dashboard.served",
    "dashboard.server",
    "dashboard.store.reads",
    "dashboard.ui",
    "dashboard.pictures",
    *(f"dashboard.{page}" for page in PAGES),
)
# By the file's name, in whatever folder: numbers, tables and figures know no Streamlit.
PURE = (
    "facts",
    "figures",
    "parameter_figures",
    "figure",
    "table",
    "scores",
    "strips",
    "overlays",
    "uploads",
    "saved_views",
)
# What the pages read of sweeps; the rest of it imports Optuna.
OF_SWEEPS = ("sweeps.reading", "sweeps.storages", "sweeps.trials")
TORCH = ("torch", "torchvision", "safetensors.torch")
HEAVY = ("torch", "mlflow", "albumentations", "streamlit", "optuna", "scipy")


@dataclass(frozen=True)
class Import:
    """One imported module, as an absolute name; ``late`` when a function does it."""

    module: str
    late: bool
    relative: bool
    line: int


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Return every module of our packages by its name."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {module_name(path): path for path in sorted(paths)}


@cache
def imports(name: str) -> tuple[Import, ...]:
    """Return what a module imports; what only type checkers see is left out."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(_imports_of(tree, package, late=False))


def _imports_of(node: ast.AST, package: str, *, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, late, False, child.lineno)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                above = package.split(".")[: len(package.split(".")) - child.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield Import(base, late, bool(child.level), child.lineno)
            for alias in child.names:
                if f"{base}.{alias.name}" in modules():
                    yield Import(f"{base}.{alias.name}", late, bool(child.level), child.lineno)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _imports_of(ast.Module(child.orelse, []), package, late=late)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports_of(child, package, late=late or inside)


def within(module: str, names: tuple[str, ...]) -> bool:
    """Whether ``module`` is one of ``names`` or lies inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


@cache
def way_to_torch(name: str) -> tuple[str, ...] | None:
    """Return how importing ``name`` comes to import torch, module by module; None if it does not.

    Imports at the top of a module count, and so do those of the packages it lies in.
    """
    seen: set[str] = set()
    waiting: list[tuple[str, ...]] = [(name,)]
    while waiting:
        way = waiting.pop(0)
        module = way[-1]
        if within(module, TORCH):
            return way
        if module in seen or module not in modules():
            continue
        seen.add(module)
        above = module.rpartition(".")[0]
        following = [found.module for found in imports(module) if not found.late]
        waiting += [(*way, found) for found in [*([above] if above else []), *following]]
    return None


def offenders(package: str, forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    """Return the places in ``package`` that import what is forbidden, anywhere in a file."""
    return [
        f"{modules()[name].relative_to(ROOT)}:{found.line} imports {found.module}"
        for name in modules()
        if within(name, (package,)) and not within(name, allowed)
        for found in imports(name)
        if within(found.module, forbidden)
    ]


def ruff(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251,TID253"]
    return subprocess.run(
        [*command, "--output-format", "concise", *words],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )


def test_ruff_finds_no_import_that_may_not_be_and_none_is_excused() -> None:
    found = ruff("--ignore-noqa", *PACKAGES)
    assert found.returncode == 0, found.stdout


MLFLOW, STREAMLIT, OPTUNA = "import mlflow.entities", "import streamlit as st", "import optuna"
TENSORS = "import torch.nn.functional as F"


@pytest.mark.parametrize(
    ("where", "line", "rule"),
    [
        ("trainer/data/new.py", TENSORS, "TID253"),
        ("trainer/data/new.py", "from safetensors.torch import load_file", "TID253"),
        ("trainer/tracking/new.py", TENSORS, "TID253"),
        ("sweeps/new.py", TENSORS, "TID253"),
        ("dashboard/predict/page.py", TENSORS, "TID253"),
        ("turntable/new.py", TENSORS, "TID253"),
        ("trainer/data/new.py", MLFLOW, "TID251"),
        ("trainer/prediction/registry.py", MLFLOW, "TID251"),
        ("sweeps/new.py", MLFLOW, "TID251"),
        ("dashboard/store/reads.py", MLFLOW, "TID251"),
        ("turntable/new.py", MLFLOW, "TID251"),
        ("trainer/tracking/new.py", STREAMLIT, "TID251"),
        ("sweeps/new.py", STREAMLIT, "TID251"),
        ("trainer/new.py", OPTUNA, "TID251"),
        ("dashboard/sweeps/facts.py", OPTUNA, "TID251"),
        ("trainer/data/new.py", "from sweeps import study", "TID251"),
        ("trainer/tracking/new.py", "from dashboard.store.cache import Curve", "TID251"),
        ("sweeps/new.py", "import dashboard", "TID251"),
        ("turntable/new.py", "from trainer.store import cache_folder", "TID251"),
        ("sweeps/new.py", "from tests.sweeps import pretend", "TID251"),
        # And what may be.
        ("trainer/models/new.py", TENSORS, None),
        ("trainer/data/loading.py", TENSORS, None),
        ("trainer/tracking/new.py", MLFLOW, None),
        ("trainer/prediction/pyfunc_model.py", MLFLOW, None),
        ("dashboard/runs/page.py", STREAMLIT, None),
        ("sweeps/new.py", OPTUNA, None),
        ("sweeps/new.py", "from trainer.store import cache_folder", None),
        ("dashboard/sweeps/reads.py", "from sweeps.reading import journal", None),
    ],
)
def test_ruff_catches_an_import_that_may_not_be(where: str, line: str, rule: str | None) -> None:
    """At the top of a file and in a function, where only torch is late enough."""
    for source, late in ((f"{line}\n", False), (f"def f():\n    {line}\n", True)):
        found = ruff("--stdin-filename", where, "-", given=source)
        caught = rule is not None and not (late and rule == "TID253")
        assert rule in found.stdout if caught else found.returncode == 0, found.stdout


def test_the_walk_finds_what_it_must() -> None:
    """Guard the guard: a walk that saw nothing would pass everything."""
    assert {name.split(".")[0] for name in modules()} == set(PACKAGES)
    assert "trainer.config" in {found.module for found in imports("trainer.config.recipes")}
    assert way_to_torch("trainer.network.losses") == ("trainer.network.losses", "torch")
    assert way_to_torch("trainer.data.loading") is not None
    assert any(found.relative for found in imports("trainer.prediction.predictor"))
    assert offenders("dashboard", ("streamlit",))
    for name in (*TORCH_FREE, *MAY_IMPORT_TORCH, *MAY_IMPORT_STREAMLIT):
        assert any(within(module, (name,)) for module in modules()), name


def test_dashboard_imports_of_sweeps_what_reads() -> None:
    strangers = {
        f"{name}:{found.line} imports {found.module}"
        for name in modules()
        if within(name, ("dashboard",))
        for found in imports(name)
        if within(found.module, ("sweeps",)) and found.module != "sweeps"
        if not within(found.module, OF_SWEEPS)
    }
    assert not strangers


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_no_other_page(page: str) -> None:
    """Its numbers and figures, and parts of it, may stand on another; the page itself never."""
    others = tuple(f"dashboard.{other}.page" for other in PAGES if other != page)
    assert not offenders(f"dashboard.{page}", others)


def test_streamlit_is_imported_where_the_page_is_drawn() -> None:
    drawing = [name for name in modules() if within(name, MAY_IMPORT_STREAMLIT)]
    allowed = tuple(name for name in drawing if name.rpartition(".")[2] not in PURE)
    assert not offenders("dashboard", ("streamlit",), allowed)


def test_importing_trainer_imports_nothing_else() -> None:
    assert imports("trainer") == ()


@pytest.mark.parametrize("part", TORCH_FREE)
def test_torch_free_modules_do_not_reach_torch(part: str) -> None:
    found = {
        name: way_to_torch(name)
        for name in modules()
        if within(name, (part,)) and not within(name, MAY_IMPORT_TORCH)
    }
    assert not {name: " → ".join(way) for name, way in found.items() if way}


def test_sweeps_reach_torch_late() -> None:
    found = {name: way_to_torch(name) for name in modules() if within(name, ("sweeps",))}
    assert not {name: " → ".join(way) for name, way in found.items() if way}


def test_dashboard_reaches_torch_only_late_and_on_a_page() -> None:
    ways = []
    for name in modules():
        if not within(name, ("dashboard",)):
            continue
        if way := way_to_torch(name):
            ways.append(" → ".join(way))
        for found in imports(name):
            late_way = found.late and way_to_torch(found.module)
            if late_way and not name.endswith(".page"):
                ways.append(f"{name}:{found.line} → {' → '.join(late_way)}")
    assert not ways


def test_what_ships_with_a_model_stands_alone() -> None:
    """It is imported where our packages are not installed, under another name."""
    shipped = {module_name(ROOT / "trainer" / name) for name in SHIPPED}
    allowed = {"torch", "numpy", "PIL", "safetensors"} | sys.stdlib_module_names
    for name in shipped:
        for found in imports(name):
            if found.relative:
                assert found.module in shipped, f"{name}:{found.line} imports {found.module}"
            else:
                root = found.module.split(".")[0]
                # Of the extra, imported where it is used.
                extra = {"trainer.models.backbone_unet": {"transformers", "huggingface_hub"}}
                assert root in allowed | extra.get(name, set()), (
                    f"{name}:{found.line} imports {found.module}"
                )


def test_every_architecture_ships() -> None:
    files = {f"models/{entry.place.split(':')[0].lstrip('.')}.py" for entry in MODELS.values()}
    assert files <= set(SHIPPED)


def test_no_module_needs_itself() -> None:
    """A cycle of imports works or fails by which module happens to be imported first."""
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name in done:
            return
        for found in imports(name):
            # A package that gathers its own modules' names is no cycle.
            if not found.late and found.module in modules() and found.module != name:
                walk(found.module, (*way, name))
        done.add(name)

    for name in modules():
        walk(name, ())


HELP = """
import contextlib, importlib, io, json, sys
package = sys.argv[1]
program = importlib.import_module(package + ".cli")
found = {}
for words in [[]] + [[command] for command in getattr(program, "COMMANDS", {})]:
    sys.argv = [package, *words, "--help"]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            code = program.main()
        except SystemExit as stop:
            code = stop.code
    loaded = {name.split(".")[0] for name in sys.modules}
    heavy = sorted(loaded & set(%r))
    found[" ".join(words)] = {"code": code or 0, "heavy": heavy, "text": shown.getvalue()}
print(json.dumps(found))
"""


@pytest.mark.parametrize("package", PROGRAMS)
def test_help_is_quick(package: str) -> None:
    """Each of torch, mlflow, albumentations, streamlit, optuna, scipy costs up to two seconds."""
    done = subprocess.run(
        [sys.executable, "-c", HELP % (HEAVY,), package],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=True,
    )
    for command, result in json.loads(done.stdout).items():
        assert result["heavy"] == [], f"{package} {command} --help"
        assert result["code"] == 0, f"{package} {command} --help"
        assert "usage:" in result["text"].lower(), f"{package} {command} --help"
    assert done.stderr == ""


IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
assert "torch" not in sys.modules
"""


def test_torch_free_modules_are_so_in_fact() -> None:
    """The dependencies they import, mlflow among them, do not bring torch in either."""
    names = [
        name
        for name in modules()
        if within(name, TORCH_FREE) and not within(name, MAY_IMPORT_TORCH)
    ]
    subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        cwd=ROOT,
        timeout=120,
        check=True,
    )


def test_a_configuration_is_read_without_numpy() -> None:
    code = "import sys, trainer.config, trainer.cli; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120, check=True)
