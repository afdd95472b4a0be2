"""JSON is read part by part, and every mistake in it is one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.files import jsonfile
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.jsonfile import read_parts, walk_lists

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text("abc", min_size=1), plain | st.lists(plain, max_size=4)),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.booleans(),
)
def test_each_element_is_given_with_its_place(tmp_path_factory, held, indent, ascii_only, marked):
    path = tmp_path_factory.mktemp("json") / "a.json"
    text = json.dumps(held, indent=indent, ensure_ascii=ascii_only)
    encoded = text.encode()
    path.write_bytes(b"\xef\xbb\xbf" * marked + encoded)
    expected = [(k, e) for k, v in held.items() if isinstance(v, list) for e in v]
    walked = list(walk_lists(path))
    assert [(name, element) for name, element, _ in walked] == expected
    if walked:
        parts = read_parts(path, [part for *_, part in walked])
        assert [json.loads(part) for part in parts] == [element for _, element in expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "nonsense",
        '{"a": [1, 2',
        '{"a": [1 2]}',
        '{"a" [1]}',
        '{"a": }',
        '{"a": [' + "[" * 100_000,
        '{"a": ' + '{"a": ' * 100_000,
        '{"a": [' + "9" * 5000 + "]}",
    ],
)
def test_what_is_no_json_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"is not valid JSON|nested too deeply") as error:
        list(walk_lists(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_what_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": ["\xff\xfe"]}')
    with pytest.raises(UnreadableFile, match="is not valid JSON"):
        list(walk_lists(path))


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonfile, "MAX_BYTES", 10)
    path = tmp_path / "a.json"
    path.write_text('{"a": [1, 2, 3]}')
    with pytest.raises(UnreadableFile, match="has 16 bytes; at most 10 are read"):
        list(walk_lists(path))
