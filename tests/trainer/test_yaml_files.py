"""What people write as YAML: words stay words, and every mistake is one line, whoever reads it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweeps.spec_reading import read_spec
from trainer.config.parsing import from_mapping, from_yaml
from trainer.data.augment import build_augmentation
from trainer.data.class_tables import find_table
from trainer.settings import Settings
from trainer.yaml_files import parse_yaml, read_yaml

READERS: dict[str, Callable[[Path], Any]] = {
    "config.yaml": from_yaml,
    "spec.yaml": lambda path: read_spec(str(path)),
    "classes.yaml": lambda path: find_table(path.parent),
    "pipeline.yaml": lambda path: build_augmentation(str(path), Settings()),
}
MISTAKES = {
    "nothing in it": (b"", "must hold 'key: value' lines"),
    "a list": (b"- lr\n", "must hold 'key: value' lines"),
    "a sentence": (b"just text\n", "must hold 'key: value' lines"),
    "another encoding": (b"lr: \xff\xfe\n", "is not UTF-8 text"),
    "not closed": (b"lr: 1\nspace: [1\n", "is not valid YAML: line 3: expected"),
    "two documents": (b"lr: 1\n---\nlr: 2\n", "line 2: "),
    "a control character": (b"lr: 1\nname: a\x07b\n", "line 2: special characters"),
    "an object": (b"lr: !!python/object/apply:os.system ['true']\n", "line 1: could not determine"),
    "no such value": (b"lr: 1\nseed: !!int one\n", "line 2: 'one' is no int"),
    "no such date": (b"seed: !!timestamp one\n", "line 1: 'one' is no timestamp"),
    "a key twice": (b"lr: 1\nseed: 2\nlr: 3\n", "line 3: 'lr' stands there twice"),
    "a key twice, quoted": (b"lr: 1\n'lr': 3\n", "line 2: 'lr' stands there twice"),
    "a key twice, deeper": (b"x: {a: [{b: 1,\nb: 2}]}\n", "line 2: 'b' stands there twice"),
    "lists too deep": (b"lr: " + b"[" * 5000 + b"]" * 5000, "is nested too deep"),
    "mappings too deep": (b"{a: " * 5000, "is nested too deep"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_the_file(mistake: str, name: str, tmp_path: Path) -> None:
    content, said = MISTAKES[mistake]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match="yaml") as caught:
        READERS[name](path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in READERS if name != "classes.yaml"])
@pytest.mark.parametrize(("make", "said"), [(None, "No such file"), (Path.mkdir, "directory")])
def test_a_file_that_cannot_be_read_is_told(
    name: str, make: Callable[[Path], None] | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if make is not None:
        make(path)
    with pytest.raises(ValueError, match=rf"{name}: cannot be read: .*{said}"):
        READERS[name](path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text("classes: [a, b]")
    path.chmod(0)
    with pytest.raises(ValueError, match=r"classes\.yaml: cannot be read: Permission"):
        find_table(tmp_path)


def test_off_is_the_name_of_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("cache: off\nrun_name: no\ndata: 2026-01-31\n")
    config = from_yaml(path)
    assert (config.cache, config.run_name, config.data) == ("off", "no", "2026-01-31")
    path.write_text("fixed: {cache: off}\nspace: {cache: [off, ram]}\n")
    with pytest.raises(ValueError, match=r"fixed\.cache: the space searches it"):
        read_spec(str(path))
    path.write_text("space: {lr: [0.1, 0.2]}\nfixed: {cache: off}\n")
    assert read_spec(str(path)).config.cache == "off"
    path.write_text("space: {cache: [off, ram]}\nname: on\n")
    spec = read_spec(str(path))
    assert spec.space["cache"].labels() == ["off", "ram"]
    assert spec.name == "on"


def test_classes_may_be_called_yes_and_true(tmp_path: Path) -> None:
    names = ("yes", "No", "true", "FALSE", "on", "off", "2026-01-31")
    (tmp_path / "classes.yaml").write_text(f"classes: [{', '.join(names)}]\n")
    table = find_table(tmp_path)
    assert table is not None
    assert tuple(entry.name for entry in table.entries) == names


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "true", "false"])
@pytest.mark.parametrize("form", [str.lower, str.capitalize, str.upper])
def test_a_bool_is_read_as_yaml_has_it(
    word: str, form: Callable[[str], str], tmp_path: Path
) -> None:
    line = f"skip_faulty: {form(word)}\n"
    expected = yaml.safe_load(line)["skip_faulty"]
    path = tmp_path / "mine.yaml"
    path.write_text(line)
    assert from_yaml(path).skip_faulty is expected
    path.write_text(f"space: {{lr: {{low: 0.1, high: 1, log: {form(word)}}}}}\nfixed: {{{line}}}")
    spec = read_spec(str(path))
    assert spec.config.skip_faulty is expected
    assert spec.space["lr"].to_mapping().get("log", False) is expected


def test_a_pipeline_has_true_and_false(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "transform: {__class_fullname__: Compose, p: 1.0, is_check_shapes: false, transforms: "
        "[{__class_fullname__: Rotate, p: 1.0, crop_border: true}]}\n"
    )
    pipeline = build_augmentation(str(path), Settings())._pipeline  # type: ignore[attr-defined]
    assert pipeline.transforms[0].crop_border is True
    assert pipeline.is_check_shapes is False


def test_a_merge_may_give_a_key_again() -> None:
    text = "z: {y: &a {<<: &q {x: 0, w: 1}, x: 1}}\nb: {<<: *a, w: 2}\n"
    assert parse_yaml(text, "text") == {"z": {"y": {"x": 1, "w": 1}}, "b": {"x": 1, "w": 2}}


def test_a_mark_of_the_byte_order_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("lr: 1\n", encoding="utf-8-sig")
    assert read_yaml(path) == {"lr": 1}


@given(st.text(alphabet="ab:- \n\t{}[],'\"!&*#|>?%@`~=<0_.1yno\x00", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for names in (False, True):
        try:
            document = parse_yaml(text, "mine.yaml", names=names)
        except ValueError as error:
            assert str(error).startswith("mine.yaml: ")
            assert "\n" not in str(error)
        else:
            assert all(isinstance(key, str) for key in document)


plain = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_what_is_written_is_read_back(values: dict[str, Any]) -> None:
    assert parse_yaml(yaml.safe_dump(values), "mine.yaml") == values


@pytest.mark.parametrize("word", ["yes", "off"])
def test_a_word_is_no_bool_where_the_field_is_text(word: str) -> None:
    assert from_mapping({"experiment": word}).experiment == word
