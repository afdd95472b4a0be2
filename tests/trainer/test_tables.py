"""One table in every form: digits that mean something, names that do nothing, remarks beneath."""

import io
import math

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainer.exports import _FORMULA
from trainer.printing import inert
from trainer.tables import Column, Table, tell, written

FORMS = ("csv", "markdown", "latex")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def table(*names: str, turned: bool = False) -> Table:
    columns = [
        Column(name="Dice", values=[1.8e-05] * len(names)),
        Column(name="Dips", values=[3] * len(names)),
        Column(name="Note", values=list(names)),
    ]
    return Table(index="Run", labels=list(names), columns=columns, turned=turned)


@pytest.mark.parametrize("form", ["table", *FORMS])
def test_small_numbers_stay_and_counts_are_whole(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(table("first"), form, ["A is better."])
    said = capsys.readouterr().out
    assert "1.8e-05" in said and "0.0000" not in said
    assert "3" in said and "3.0" not in said
    last = said.rstrip("\n").split("\n")[-1]
    marks = {"table": "", "csv": "# ", "markdown": "- ", "latex": "% "}
    assert last == f"{marks[form]}A is better."


@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, max_size=2))
@example(["#", "a#b", '"#"'], ["# #"])
@example(["a,b", "=1+1#"], ["a\nb"])
def test_csv_reads_back_whatever_a_name_holds_and_its_remarks_are_left_out(
    names: list[str], said: list[str]
) -> None:
    read = pd.read_csv(
        io.StringIO(written(table(*names), "csv", said)),
        comment="#" if said else None,
        keep_default_na=False,
        dtype={"Run": str, "Note": str},
    )
    shown = [inert(name) for name in names]
    expected = [f"'{name}" if name.startswith(_FORMULA) else name for name in shown]
    assert read["Run"].tolist() == read["Note"].tolist() == expected
    assert read["Dice"].tolist() == [1.8e-05] * len(names)
    assert read["Dips"].tolist() == [3] * len(names)


@given(st.text(max_size=20), st.text(max_size=20))
@example("a\n\\end{tabular}", "b\n\\input{x}")
def test_no_remark_and_no_name_makes_a_line_of_its_own(name: str, remark: str) -> None:
    plain = {form: written(table("x"), form, ["y"]).count("\n") for form in ("latex", "markdown")}
    for form, lines in plain.items():
        text = written(table(name), form, [remark])
        assert text.count("\n") == lines
    assert written(table(name), "latex", [remark]).split("\n")[-1].startswith("%")


def test_a_turned_table_is_turned_for_people_alone() -> None:
    one = table("first", "second", turned=True)
    assert written(one, "csv").splitlines()[0] == "Run,Dice,Dips,Note"
    assert written(one, "markdown").splitlines()[0] == "| Run | first | second |"
    assert "Dips & 3 & 3" in written(one, "latex")


def test_a_value_may_be_shown_otherwise_than_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [
        Column(name="Epoch", values=[3], shown=["3/10"]),
        Column(name="Best", values=[math.nan]),
        Column(name="Left", values=[None]),
    ]
    one = Table(index="Run", labels=["a"], columns=columns)
    assert written(one, "csv") == "Run,Epoch,Best,Left\na,3,,\n"
    tell(one, "table")
    assert capsys.readouterr().out.split("\n")[1].split() == ["a", "3/10", "–", "–"]


def test_nothing_in_a_name_is_obeyed_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell(table("\x1b[31m[red]odd[/red]\r"), "table", ["\x1b]0;title\x07"])
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\x07" not in said and "[red]odd[/red]" in said


def test_on_a_narrow_terminal_words_are_cut_and_no_number_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    long = "a name that is longer than any terminal is wide"
    columns = [
        Column(name="Name", values=[long]),
        Column(name="Dice", values=[0.5], shown=["0.5000 [0.4000, 0.6000]"]),
    ]
    one = Table(index="Run", labels=["0123abcd"], columns=columns)
    tell(one, "table")
    assert long in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    tell(one, "table")
    seen = capsys.readouterr().out
    assert long not in seen and "0.5000 [0.4000, 0.6000]" in seen and "0123abcd" in seen
