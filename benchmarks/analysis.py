"""Measure what the analysis costs and whether its intervals cover what they promise.

python benchmarks/analysis.py stability    seconds for 10,000 curves of 100 epochs, one core
python benchmarks/analysis.py coverage     coverage of nominal 95 % intervals, by simulation
python benchmarks/analysis.py null         how often a verdict is false, and its power at 0.01
python benchmarks/analysis.py null --run ID   the same on the repeats of a run of the store
python benchmarks/analysis.py comparison   seconds for one comparison, by images and seeds

A simulated run has made-up groups, images and seeds whose true difference is known (see
`drawn_worlds`); coverage is the share of simulated comparisons whose interval holds it.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy loads: one core is measured

import numpy as np
from drawn_worlds import World
from nulls import null_of_runs, null_of_worlds

from trainer.analysis.bootstrap import Interval, Side, intervals, on_logit
from trainer.analysis.ratios import PixelCounts, ratio_of
from trainer.analysis.stability import stability_table

SCORES = ("dice", "miou", "dice_per_image")


def sides(a: PixelCounts, b: PixelCounts) -> dict[str, list[Side]]:
    """Return what is measured: differences in each score, and one configuration's own Dice."""
    differences = {name: [(-1, ratio_of(name, a)), (1, ratio_of(name, b))] for name in SCORES}
    return {**differences, "dice of one": [(1, ratio_of("dice", a))]}


def value(of: list[Side]) -> float:
    """Return the sum of the sides, each a mean over its seeds."""
    return float(sum(sign * ratio.of_all().mean() for sign, ratio in of))


def simulate(
    world: World, truth: dict[str, float], *, images: int, seeds: int, runs: int, resamples: int
) -> dict[str, dict[str, float]]:
    """Return per score the coverage of both intervals and their mean width."""
    random = np.random.default_rng(images * 1000 + seeds)
    held = {name: {"t": 0.0, "percentile": 0.0, "width": 0.0} for name in truth}
    for run in range(runs):
        a, b = world.draw(random, images, seeds)
        found = intervals(sides(a, b), a.sample, resamples=resamples, seed=run, level=0.95)
        found["dice of one"] = on_logit(found["dice of one"])
        for name, interval in found.items():
            _count(held[name], interval, truth[name])
    return {name: {key: total / runs for key, total in of.items()} for name, of in held.items()}


def _count(held: dict[str, float], interval: Interval, truth: float) -> None:
    held["t"] += interval.low <= truth <= interval.high
    held["percentile"] += interval.percentile_low <= truth <= interval.percentile_high
    held["width"] += interval.high - interval.low


WORLDS = {
    "smooth": World(failures=0.0),
    "rare failures": World(failures=0.03),
    "seeds matter little": World(failures=0.0, seeds=0.02),
    "seeds matter": World(failures=0.0, seeds=0.2),
    "seeds matter, failures": World(failures=0.03, seeds=0.2),
    "nothing but noise": World(failures=0.0, seeds=0.0, taste=0.0, gap=0.0, noise=0.6),
    "groups": World(views=16, difficulty=0.4, taste=0.2, group_difficulty=0.7, group_noise=0.3),
    "groups, taste": World(
        views=16, difficulty=0.4, taste=0.2, group_difficulty=0.7, group_taste=0.3
    ),
}


def coverage(worlds: list[str], runs: int, resamples: int) -> None:
    """Print a table: one row a world, number of images and number of seeds."""
    print(f"{runs} simulated comparisons a row, {resamples} resamples each; coverage in %")
    columns = (*SCORES, "dice of one")
    print("world | images | seeds | " + " | ".join(f"{name}: t, percentile" for name in columns))
    for name in worlds:
        world = WORLDS[name]
        truth = world.truth(SCORES)
        many = [(n * world.views, 1) for n in (5, 8, 10, 20, 50, 100, 300) if n * world.views < 999]
        if world.seeds or name == "nothing but noise":
            many = [(n, s) for n in (10, 50) for s in (2, 3, 5, 10)]
        for images, seeds in many:
            found = simulate(
                world, truth, images=images, seeds=seeds, runs=runs, resamples=resamples
            )
            cells = [f"{100 * of['t']:5.1f} {100 * of['percentile']:5.1f}" for of in found.values()]
            print(f"{name} | {images} | {seeds} | " + " | ".join(cells), flush=True)


def stability_cost() -> None:
    """Print the seconds for 10,000 curves of 100 epochs: real-looking, random, of all lengths."""
    random = np.random.default_rng(0)
    rising = 0.95 - 0.4 * np.exp(-np.arange(100) / 10) + random.normal(0, 0.01, (10_000, 100))
    ragged = rising.copy()
    ragged[np.arange(100) >= random.integers(0, 101, (10_000, 1))] = np.nan
    curves = {"rising": rising, "all lengths": ragged, "noise": random.random((10_000, 100))}
    for name, values in curves.items():
        seconds = []
        for _ in range(5):
            started = time.process_time()
            stability_table(values)
            seconds.append(time.process_time() - started)
        print(f"{name}: {min(seconds):.2f} s, median {np.median(seconds):.2f} s (processor time)")


def comparison_cost() -> None:
    """Print the seconds of one comparison of two configurations, 10,000 resamples."""
    from trainer.analysis.comparison import compare

    for images, seeds in ((30, 1), (500, 1), (500, 5), (5_000, 1)):
        a, b = World(failures=0.03).draw(np.random.default_rng(0), images, seeds)
        started = time.process_time()
        compare(a, b)
        print(f"{images} images, {seeds} seeds: {time.process_time() - started:.2f} s")


def main() -> None:
    """Run the measurement that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["stability", "coverage", "null", "comparison"])
    parser.add_argument("--run", help="null: a run of the store whose repeats are compared")
    parser.add_argument("--runs", type=int, default=2000, help="simulated comparisons a row")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    arguments = parser.parse_args()
    if arguments.what == "coverage":
        coverage(arguments.worlds, arguments.runs, arguments.resamples)
    elif arguments.what == "null" and arguments.run:
        null_of_runs(arguments.run, arguments.resamples)
    elif arguments.what == "null":
        null_of_worlds(arguments.runs, arguments.resamples)
    elif arguments.what == "stability":
        stability_cost()
    else:
        comparison_cost()


if __name__ == "__main__":
    main()
