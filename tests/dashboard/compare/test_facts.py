"""What differs between the compared runs."""

from dashboard.compare import facts
from tests.dashboard.made import record
from trainer.tracking.reading import runs_table


def test_only_parameters_that_differ_are_shown() -> None:
    runs = runs_table(
        [record("a", params={"lr": "1", "model": "unet"}), record("b", params={"lr": "2"})]
    )
    table = facts.differing(runs[["params.lr", "params.model"]].loc[["a", "b"]])
    assert table.loc["lr"].tolist() == ["1", "2"]
    assert table.loc["model"].tolist() == ["unet", ""]
