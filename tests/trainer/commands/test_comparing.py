"""``trainer stability`` says of a run of the store what the analysis and the pages say."""

import json
import math

import pytest

from trainer.commands.comparing import compare, stability
from trainer.config import TrainConfig
from trainer.tracking import start_run


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("logged", "flags", "expected"),
    [
        # The numbers stay those that were logged: a warm-up of 3 leaves the fall at 5 in.
        (
            [(1, math.nan), (2, math.nan), (3, 0.5), (4, 0.9), (5, 0.5)],
            ["--warmup", "3"],
            {"n": 2, "non_finite": 0, "max_drawdown": 0.4},
        ),
        # Recovery takes the epochs that were not finite too.
        (
            [
                *((n, 0.9) for n in range(1, 7)),
                (7, 0.5),
                *((n, math.nan) for n in (8, 9, 10)),
                (11, 0.9),
            ],
            [],
            {"n": 8, "non_finite": 3, "longest_recovery": 4},
        ),
        # Another program's epochs may start at 0.
        ([(0, 0.9), (1, 0.5), (2, 0.6)], [], {"n": 3, "max_drawdown": 0.4}),
        # A resumed run logs an epoch again, and the newer one counts.
        ([(1, 0.8), (2, 0.2), (2, 0.9), (3, 0.9)], [], {"n": 3, "max_drawdown": 0.0}),
    ],
)
def test_gaps_repeats_and_step_0(
    logged: list[tuple[int, float]],
    flags: list[str],
    expected: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = start_run(TrainConfig())
    for step, value in logged:
        run.log_epoch(step, {"val/dice": value})
    run.finish("completed")
    stability([run.id, "--json", *flags])
    (row,) = json.loads(capsys.readouterr().out)
    row |= {"n": row["epochs"]} | {k.removeprefix("stability/"): v for k, v in row.items()}
    assert {name: row[name] for name in expected} == pytest.approx(expected)


@pytest.mark.usefixtures("store")
def test_the_table_has_counts_whole_and_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    run = start_run(TrainConfig(run_name="short"))
    run.log_epoch(1, {"val/dice": 0.5})
    run.finish("completed")
    stability([run.id])
    rows = dict(line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert rows["run_id"] == run.id[:8]
    assert (rows["max_drawdown"], rows["dips"], rows["checkpoint_luck"]) == ("0.0000", "0", "–")


@pytest.mark.parametrize("name", ["models:/cars/1", "4f2a"])
def test_one_model_named_twice_is_one(name: str) -> None:
    with pytest.raises(ValueError, match="give two or more different run ids or registered models"):
        compare([name, name])
