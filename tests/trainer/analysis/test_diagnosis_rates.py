"""The rules on simulated runs: quiet where a run is well, and heard where it is not.

The benchmark has the whole table, with short runs, and 600 runs a row.
"""

import runpy

import numpy as np
import pytest

from tests.conftest import ROOT

SIMULATION = runpy.run_path(str(ROOT / "benchmarks/diagnoses.py"))
healthy, PLANTED = SIMULATION["healthy"], SIMULATION["PLANTED"]
RUNS = 150


def test_a_run_that_is_well_has_no_problem() -> None:
    random = np.random.default_rng(7)
    told = [healthy(random).findings() for _ in range(RUNS)]
    problems = [f.message for findings in told for f in findings if f.severity == "problem"]
    assert len(problems) <= RUNS // 100, problems
    warned = sum(any(f.severity == "warning" for f in findings) for findings in told)
    assert warned < RUNS // 8


@pytest.mark.parametrize("fault", PLANTED)
def test_what_was_planted_in_a_run_is_found(fault: str) -> None:
    plant, rule = PLANTED[fault]
    random = np.random.default_rng(8)
    missed = 0
    for _ in range(RUNS):
        run = healthy(random, epochs=int(random.choice([10, 15, 20, 30, 50, 100])))
        plant(random, run)
        missed += all(finding.rule != rule for finding in run.findings())
    assert missed <= 0.05 * RUNS
