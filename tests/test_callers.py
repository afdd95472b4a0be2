"""What a module defines has a caller: another module, its own, or a table that names it."""

import ast
import re
from functools import cache

from tests.test_imports import ROOT, modules

# Streamlit looks through the module that it is given for its app.
FOUND_BY_OTHERS = {"dashboard.served._app"}
PROGRAMS = ("benchmarks", "scripts")
NAMED = re.compile(r"^(\.?[a-z_]\w*(?:\.\w+)*):(\w+)$")


@cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of every module of ours, and of the programs beside the packages."""
    paths = dict(modules())
    for folder in PROGRAMS:
        for path in (ROOT / folder).glob("*.py"):
            paths[f"{folder}.{path.stem}"] = path
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}


def defined_in(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return what a module defines at its top, by its name."""
    defined: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            defined |= dict.fromkeys(names, node)
    return {name: node for name, node in defined.items() if not name.startswith("__")}


def absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = modules()[module].name == "__init__.py" if module in modules() else False
    base = module.split(".")
    base = base[: len(base) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def called_from(module: str, tree: ast.Module) -> set[str]:
    """Return what of other modules a module uses: imports, attributes, and names in its tables."""
    used: set[str] = set()
    known_as: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{absolute(module, node)}.{alias.name}"
                used.add(full)
                known_as[alias.asname or alias.name] = full
        elif said := isinstance(node, ast.Constant) and NAMED.match(str(node.value)):
            package = module if said[1].startswith(".") else ""
            used.add(f"{package}{said[1]}.{said[2]}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{known_as.get(node.value.id)}.{node.attr}")
    return used


def used_within(tree: ast.Module, name: str, definition: ast.stmt) -> bool:
    """Whether a module uses a name of its own elsewhere than in its definition."""
    inside = {id(node) for node in ast.walk(definition)}
    return any(
        isinstance(node, ast.Name)
        and node.id == name
        and isinstance(node.ctx, ast.Load)
        and id(node) not in inside
        for node in ast.walk(tree)
    )


def uncalled() -> set[str]:
    used = {name for module, tree in trees().items() for name in called_from(module, tree)}
    scripts = re.findall(r'"([\w.]+):(\w+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    used |= {f"{module}.{name}" for module, name in scripts}
    return {
        f"{module}.{name}"
        for module in modules()
        for name, definition in defined_in(trees()[module]).items()
        if f"{module}.{name}" not in used and not used_within(trees()[module], name, definition)
    }


def test_the_search_finds_what_it_must() -> None:
    """Guard the guard: one that took everything for called would pass everything."""
    assert "trainer.catalogue.losses.LOSSES" in called_from(
        "trainer.config.roles", trees()["trainer.config.roles"]
    )
    table = "trainer.catalogue.losses"
    of_catalogue = called_from(table, trees()[table])
    assert "trainer.network.pixel_losses.cross_entropy" in of_catalogue
    of_models = called_from("trainer.models", trees()["trainer.models"])
    assert "trainer.models.unet.UNet" in of_models
    alone = ast.parse("LIMIT = 3\ndef again(n): return again(n - 1)\ndef _kept(): return LIMIT")
    assert {n: used_within(alone, n, node) for n, node in defined_in(alone).items()} == {
        "LIMIT": True,
        "again": False,
        "_kept": False,
    }


def test_nothing_is_without_a_caller() -> None:
    assert uncalled() == FOUND_BY_OTHERS
