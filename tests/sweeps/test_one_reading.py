"""A study is read in one place: its keys, the states of its trials and its questions, once each."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps import attributes

ROOT = Path(__file__).parents[2]
KEYS = {name: value for name, value in vars(attributes).items() if isinstance(value, str)}
KEYS = {name: value for name, value in KEYS.items() if name.isupper()}
SETTERS = {"set_user_attr", "set_trial_user_attr", "set_study_user_attr"}
# Words that only one module may spell out, and the module.
WORDS = {
    "stopped": "sweeps/trials.py",
    "cut short": "sweeps/trials.py",
    "waiting": "sweeps/trials.py",
    "PED-ANOVA": "sweeps/reading.py",
    "fANOVA": "sweeps/reading.py",
    "optuna.journal": "sweeps/reading.py",
}
QUESTIONS = {
    "is_alive": "sweeps/presence.py",
    "importances": "sweeps/reading.py",
    "usual_evaluator": "sweeps/reading.py",
    "counts": "sweeps/trials.py",
    "best": "sweeps/trials.py",
    "shown": "sweeps/trials.py",
}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the programs that write and read studies, with its file."""
    for package in ("sweeps", "dashboard"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(ROOT).as_posix(), node


def keys_used(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the keys by which a node writes or reads user attributes."""
    if isinstance(node, ast.Subscript) and named_user_attrs(node.value):
        yield node.slice
    if isinstance(node, ast.Compare) and any(map(named_user_attrs, node.comparators)):
        yield node.left
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and named_user_attrs(node.func.value):
            yield node.args[0]
        if node.func.attr in SETTERS:
            yield node.args[-2]


def named_user_attrs(node: ast.expr) -> bool:
    return "user_attrs" in (getattr(node, "attr", None), getattr(node, "id", None))


def test_the_keys_of_a_study_are_named_in_one_module() -> None:
    used = [(path, key) for path, node in nodes() for key in keys_used(node)]
    assert {key.id for _, key in used if isinstance(key, ast.Name)} >= KEYS.keys()
    assert not [path for path, key in used if isinstance(key, ast.Constant)]
    assert len(set(KEYS.values())) == len(KEYS)
    again = {
        f"{path}:{target.lineno} {target.id}"
        for path, node in nodes()
        if isinstance(node, ast.Assign) and path != "sweeps/attributes.py"
        for whole in node.targets
        for target in ast.walk(whole)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        if target.id in KEYS and "sweeps/" in path
    }
    assert not again


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_spelled_out_once(word: str) -> None:
    spelled = {p for p, node in nodes() if isinstance(node, ast.Constant) and node.value == word}
    assert spelled == {WORDS[word]}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_one_function(question: str) -> None:
    asked = [
        path
        for path, node in nodes()
        if isinstance(node, ast.FunctionDef)
        and node.name == question
        # The command that prints it is no second answer.
        and path != "sweeps/cli.py"
    ]
    assert asked == [QUESTIONS[question]]


def test_reading_waits_for_none_of_the_heavy_packages() -> None:
    script = (
        "import sys, sweeps.reading\n"
        "heavy = {'torch', 'mlflow', 'optuna', 'sqlalchemy', 'streamlit'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
