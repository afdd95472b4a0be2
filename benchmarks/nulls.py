"""Compare equals with each other, and count how often a verdict calls one of them better."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from drawn_worlds import World

from trainer.analysis.comparison import compare, compare_all
from trainer.evaluation.results import by_configuration, which_is_better
from trainer.wording import counted

DIFFERENCE = 0.01
ALONE = World(gap=0.0)
CARS = World(
    gap=0.0, views=16, difficulty=0.4, taste=0.2, group_difficulty=0.7, group_noise=0.3, noise=0.3
)
WORLDS = {
    "independent images": ALONE,
    "independent images, seeds": replace(ALONE, seeds=0.1),
    "groups": CARS,
    "groups with taste": replace(CARS, group_taste=0.3),
    "groups, seeds": replace(CARS, seeds=0.1),
    "groups with taste, seeds": replace(CARS, group_taste=0.3, seeds=0.1),
}
DIVISIONS = 100


def null_of_worlds(runs: int, resamples: int) -> None:
    """Print a row a world, number of units and number of seeds a side, in percent.

    With one seed a side two models are asked about. Where seeds matter these do differ, so that
    saying so is no error, and of their configurations nothing is said.
    """
    print(f"{runs} comparisons a cell, {resamples} resamples; better = one of two equals is called")
    print(f"so; power and coverage (of the 95 % interval) at a true difference of {DIFFERENCE}")
    print("world | units | seeds | better | power | coverage")
    for name, world in WORLDS.items():
        other = world.with_difference(DIFFERENCE)
        for units in (48,) if world.views == 1 else (5, 8, 20):
            for seeds in (1, 3, 5):
                size = (units * world.views, seeds)
                null, _ = _judged(world, size, runs, resamples)
                power, covered = _judged(other, size, runs, resamples)
                cells = f"{null:.1f} | {power:.1f} | {covered:.1f}"
                if seeds == 1 and world.seeds:
                    cells = f"models differ: {null:.1f} | none | none"
                print(f"{name} | {units} | {seeds} | {cells}", flush=True)
    print("six equal settings, any of 15 pairs called better, Holm, 3 seeds each")
    for name in ("independent images, seeds", "groups with taste, seeds"):
        world = WORLDS[name]
        share = _any_of_six(world, 48 if world.views == 1 else 8 * world.views, runs, resamples)
        print(f"{name} | {share:.1f}", flush=True)


def _judged(world: World, size: tuple[int, int], runs: int, resamples: int) -> tuple[float, float]:
    """Return the share called better, and of intervals that hold the true difference, in %."""
    random = np.random.default_rng(size)
    truth = -DIFFERENCE if world.gap else 0.0
    better = held = 0
    for run in range(runs):
        a, b = world.draw(random, *size)
        found = compare(
            a, b, scores=(), resamples=resamples, seed=run, at_most=0, of_models=size[1] == 1
        )
        better += found.distinguishable
        held += found.interval.low <= truth <= found.interval.high
    return 100 * better / runs, 100 * held / runs


def _any_of_six(world: World, images: int, runs: int, resamples: int) -> float:
    random = np.random.default_rng(6)
    found = 0
    for run in range(runs // 5):
        sides = {str(at): side for at, side in enumerate(world.draw(random, images, 3, sides=6))}
        pairs = compare_all(sides, scores=(), resamples=resamples, seed=run)
        found += any(pair.distinguishable for pair in pairs)
    return 100 * found / (runs // 5)


def null_of_runs(run_id: str, resamples: int) -> None:
    """Print how often one of two sets of repeats of a run is called better than the other."""
    ((_, repeats),) = by_configuration([run_id], all_seeds=True).items()
    random = np.random.default_rng(0)
    for seeds in (1, 3, 5):
        sides = [list(pair) for pair in combinations(repeats, 2)]
        if seeds > 1:
            sides = [list(random.permutation(repeats)[: 2 * seeds]) for _ in range(DIVISIONS)]
        found = [
            which_is_better(
                {"A": chosen[:seeds], "B": chosen[seeds:]},
                resamples=resamples,
                of_models=seeds == 1,
            ).pairs[0]
            for chosen in sides
        ]
        better = np.mean([pair.distinguishable for pair in found])
        apart = np.mean([abs(pair.interval.value) for pair in found])
        half = np.mean([pair.interval.high - pair.interval.value for pair in found])
        said = "better" if seeds > 1 else "of the models differ"
        print(
            f"{counted(seeds, 'seed')} a side, {found[0].sample}: {len(found)} comparisons, "
            f"{better:.1%} {said}, mean difference {apart:.4f}, "
            f"mean half of the interval {half:.4f}"
        )
