"""The page for a supervisor: whole, alone, and of harmless names."""

import re
import shlex
from collections.abc import Mapping
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.cli import _read_run
from sweeps.reporting.elements import element, page
from sweeps.reporting.facts import Facts
from sweeps.reporting.page import html
from sweeps.reporting.words import command
from sweeps.spec_reading import from_plain, read_spec
from trainer.printing import inert

NEVER = {"script", "link", "iframe", "object", "embed", "base", "form", "a"}


class Parsed(HTMLParser):
    """The tags, attributes and texts that a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_stands_alone_and_holds_every_part(facts: Facts) -> None:
    text = html(facts)
    found = Parsed(text)
    assert not NEVER & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "href"]
    sources = [value for name, value in found.attributes if name == "src"]
    # Two images, each with its target and what both configurations predict.
    assert len(sources) == 2 * 4 and all(s.startswith("data:image/jpeg;base64,") for s in sources)
    assert "http:" not in re.sub(r"data:[^\"]*", "", text).replace("http://e.example", "")
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in (
        found.attributes
    )
    said = " ".join(found.texts)
    for heading in ("What may be concluded", "Configurations", "Score per epoch", "Verdicts"):
        assert heading in said
    for fact in ("Sample predictions", "All trials", "How it was made", facts.summary.selection):
        assert fact in said
    assert inert(facts.spec.description) in said
    assert str(facts.runs["tags.segscope.data_digest"].iloc[0]) in said
    assert len(text) < 300_000


def test_a_curve_has_a_line_a_configuration_and_a_ring_a_dip(facts: Facts) -> None:
    shapes = Parsed(html(facts)).tags
    assert shapes.count("polyline") == len(facts.configurations) == shapes.count("polygon")
    rings = [{d.epoch for r in c.run_ids for d in facts.dips(r)} for c in facts.configurations]
    assert shapes.count("circle") == sum(map(len, rings))


@given(st.text(), st.text())
def test_no_text_becomes_markup(text: str, attribute: str) -> None:
    found = Parsed(page(element("p", text, element("b", text, title=attribute), text)))
    assert found.tags == ["p", "b"]
    assert found.attributes == [("title", "\n".join(map(inert, attribute.split("\n"))))]
    expected = "\n".join(map(inert, text.split("\n"))) * 3
    assert "".join(found.texts).strip("\n") == expected.strip("\n")


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({}, "sweeps run report-0-grid"),
        (
            {"data": "a b", "image_size": [60, 80], "base_channels": 8},
            "sweeps run report-0-grid --data 'a b' --image-size 60 80 --base-channels 8",
        ),
    ],
)
def test_the_command_of_a_preset_is_known(fixed: Mapping[str, object], words: str) -> None:
    spec = read_spec("report-0-grid", overrides=fixed)
    assert command(spec) == words
    assert vars(_read_run(shlex.split(words)[2:])[0].config) == vars(spec.config)


def test_the_command_of_a_spec_of_ones_own_names_the_spec() -> None:
    spec = from_plain({"space": {"depth": [1, 2]}})
    assert command(spec) == "sweeps run SPEC.yaml, the spec below"
