"""What a run's page tells of one run: its configuration, and what differs in it."""

from collections.abc import Mapping

import pandas as pd

from trainer.config import MACHINE_PARAMS, field_names
from trainer.config.parsing import default_params, scored_in
from trainer.wording import counted


def parameters(row: pd.Series) -> dict[str, str]:
    """Return the parameters of a run's row in the table of runs, by name."""
    return {
        str(column).removeprefix("params."): str(value)
        for column, value in row.items()
        if str(column).startswith("params.") and isinstance(value, str)
    }


def differences_from_default(params: Mapping[str, str]) -> pd.DataFrame:
    """Return the parameters that differ from the trainer's defaults: ``value`` and ``default``.

    Indexed by ``parameter`` in the config's order. A setting that the run's components do not
    have, as earlier versions stored them, is left out; a parameter that the trainer does not know
    (another program's run) comes last, without a default.
    """
    defaults = default_params(params)
    changed = [n for n in defaults if n in params and params[n] != defaults[n]]
    # A name that only runs of ours have tells them from another program's.
    unread = set(field_names()) if "trimap_border" in params else set()
    foreign = sorted(params.keys() - defaults.keys() - set(MACHINE_PARAMS) - unread)
    rows = [(n, params[n], defaults[n]) for n in changed] + [(n, params[n], "") for n in foreign]
    return pd.DataFrame(rows, columns=["parameter", "value", "default"]).set_index("parameter")


def arithmetic(row: pd.Series) -> str:
    """Return what a run was trained and scored in, and on; empty for other programs' runs."""
    if not isinstance(row.get("kind"), str):
        return ""
    params = parameters(row)
    scored = scored_in(params) or "an arithmetic that was not recorded"
    if "train_dtype" not in params:
        return f"Scored in {scored}."
    trained, processor, threads = (params.get(name, "") for name in MACHINE_PARAMS)
    return (
        f"Trained in {trained}, scored in {scored}, on {processor or 'an unnamed processor'} "
        f"with {counted(int(threads), 'thread')}."
    )
