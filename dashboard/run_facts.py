"""What a run's page tells of one run: configuration, captions of its samples, epochs to show."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from dashboard.display import score
from trainer.config import MACHINE_PARAMS, TrainConfig, scored_in
from trainer.scores import headline_classes

FRAMES = 60
"""Most epochs whose masks are sent to the browser at once."""


def parameters(row: pd.Series) -> dict[str, str]:
    """Return the parameters of a run's row in the table of runs, by name."""
    return {
        str(column).removeprefix("params."): str(value)
        for column, value in row.items()
        if str(column).startswith("params.") and isinstance(value, str)
    }


def differences_from_default(params: Mapping[str, str]) -> pd.DataFrame:
    """Return the parameters that differ from the trainer's defaults: ``value`` and ``default``.

    Indexed by ``parameter`` in the config's order; a parameter that the trainer does not know
    (another program's run) comes last, without a default.
    """
    defaults = TrainConfig().to_params()
    changed = [n for n in defaults if n in params and params[n] != defaults[n]]
    foreign = sorted(params.keys() - defaults.keys() - set(MACHINE_PARAMS))
    rows = [(n, params[n], defaults[n]) for n in changed] + [(n, params[n], "") for n in foreign]
    return pd.DataFrame(rows, columns=["parameter", "value", "default"]).set_index("parameter")


def arithmetic(params: Mapping[str, str]) -> str:
    """Return what a run was trained and scored in, and on; empty for other programs' runs."""
    if "precision" not in params:
        return ""
    scored = scored_in(params) or "an arithmetic that was not recorded"
    if "train_dtype" not in params:
        return f"Scored in {scored}."
    trained, processor, threads = (params.get(name, "") for name in MACHINE_PARAMS)
    return (
        f"Trained in {trained}, scored in {scored}, on {processor or 'an unnamed processor'} "
        f"with {threads} thread{'' if threads == '1' else 's'}."
    )


def image_dice(per_image: pd.DataFrame) -> pd.DataFrame:
    """Return one Dice per image (rows) and epoch (columns): the mean over the headline classes.

    ``per_image`` is what `trainer.per_image.read_parts` returns, its classes in their order. With
    two classes the foreground alone counts; an image without any of them has NaN.
    """
    if per_image.empty:
        return pd.DataFrame()
    classes = list(dict.fromkeys(per_image["class"].astype(str)))
    counted = classes[headline_classes(len(classes))]
    rows = per_image[per_image["class"].astype(str).isin(counted)]
    return rows.pivot_table(
        index="image", columns="epoch", values="dice", aggfunc="mean", observed=True
    )


def captions(dice: pd.DataFrame, name: str, epochs: Sequence[int]) -> list[str]:
    """Return ``Dice 0.9876`` of one image at each epoch; empty where it has none."""
    if name not in dice.index:
        return ["" for _ in epochs]
    values = dice.loc[[name]].reindex(columns=list(epochs)).to_numpy(dtype=float)[0]
    return [f"Dice {score(value)}" if np.isfinite(value) else "" for value in values]


def epochs_to_show(
    epochs: Sequence[int], keep: Iterable[int] = (), at_most: int = FRAMES
) -> list[int]:
    """Return the epochs whose masks are shown: all, or evenly spread ones and those to keep."""
    if len(epochs) <= at_most:
        return list(epochs)
    wanted = set(keep) & set(epochs) | {epochs[0], epochs[-1]}
    spread = np.linspace(0, len(epochs) - 1, max(2, at_most - len(wanted))).round().astype(int)
    return sorted(wanted | {epochs[i] for i in spread})


def best_epoch(steps: np.ndarray, values: np.ndarray) -> int | None:
    """Return the epoch of the highest finite value, the earliest of equals; None without any."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    return int(steps[finite][values[finite].argmax()])
