"""In what the compared runs differ."""

import pandas as pd


def differing(params: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters in which rows of ``params.*`` differ: one row each, one column a run.

    A parameter that a run does not have is empty. The run's own name is not one.
    """
    columns = [c for c in params.columns if c.startswith("params.") and c != "params.run_name"]
    rows = {
        column.removeprefix("params."): params[column].fillna("")
        for column in columns
        if params[column].fillna("").nunique() > 1
    }
    return pd.DataFrame(rows, index=params.index).T.rename_axis("parameter")
