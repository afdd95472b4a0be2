"""MLflow's filter expressions, evaluated on a table of runs that has been read already.

Asking the store costs a request and, on SQLite, seconds at 10,000 runs, because MLflow loads every
matching run whole. The expression is parsed by MLflow itself, so what it accepts and refuses is
accepted and refused here, in its words; the tests compare the outcome with its public search.
"""

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils

from trainer.tracking.client import client

_ATTRIBUTES = {
    "run_id": "run_id",
    "run_name": "name",
    "status": "status",
    "user_id": "user",
    "artifact_uri": "artifact_uri",
    "start_time": "started",
    "end_time": "ended",
    "experiment_id": "experiment_id",
}
_PREFIXES = {"metric": "metrics.", "parameter": "params.", "tag": "tags."}


def matching(runs: pd.DataFrame, expression: str) -> np.ndarray:
    """Return a boolean ``(len(runs),)``: which runs satisfy an MLflow filter expression.

    ``runs`` is what `reading.list_runs` returns. An empty expression matches all. Raises
    ``ValueError`` with MLflow's own words when the expression is malformed.
    """
    try:
        clauses = SearchUtils.parse_search_filter(expression.strip())
        found = np.ones(len(runs), dtype=bool)
        for clause in clauses:
            found &= _matches(runs, clause)
    except MlflowException as error:
        raise ValueError(f"filter: {error.message}") from error
    return found


def _matches(runs: pd.DataFrame, clause: dict[str, str]) -> np.ndarray:
    kind, comparator = clause["type"], clause["comparator"].upper()
    if SearchUtils.is_dataset(kind, comparator):
        return _asked(runs, clause)
    column = _column(runs, kind, SearchUtils.translate_key_alias(clause["key"]), comparator)
    if comparator in ("IS NULL", "IS NOT NULL"):
        present = np.array([value is not None for value in column])
        return ~present if comparator == "IS NULL" else present
    compare = SearchUtils.get_comparison_func(comparator)
    is_number = kind == "metric" or clause["key"] in SearchUtils.NUMERIC_ATTRIBUTES
    value = float(clause["value"]) if is_number else clause["value"]
    return np.array([x is not None and bool(compare(x, value)) for x in column], dtype=bool)


def _column(runs: pd.DataFrame, kind: str, key: str, comparator: str) -> list[object]:
    if SearchUtils.is_metric(kind, comparator):
        return _logged_metric(runs, key)
    if SearchUtils.is_param(kind, comparator) or SearchUtils.is_tag(kind, comparator):
        name = _PREFIXES[kind] + key
    else:
        # Raises MLflow's own error for a comparator that the attribute does not take.
        SearchUtils.is_string_attribute(kind, key, comparator)
        SearchUtils.is_numeric_attribute(kind, key, comparator)
        name = _ATTRIBUTES[key]
    if name == "run_id":
        return list(runs.index)
    if name not in runs:
        return [None] * len(runs)
    values = runs[name]
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        since = values.astype("int64").where(values.notna())
        return [None if pd.isna(x) else int(x) for x in since]
    return [None if pd.isna(x) else x for x in values]


def _logged_metric(runs: pd.DataFrame, key: str) -> list[object]:
    # A NaN that was logged satisfies "!=" alone; a metric never logged satisfies nothing.
    name = _PREFIXES["metric"] + key
    if name not in runs:
        return [None] * len(runs)
    logged = runs["logged_metrics"]
    return [
        value if value == value or key in keys else None
        for value, keys in zip(runs[name].to_list(), logged, strict=True)
    ]


def _asked(runs: pd.DataFrame, clause: dict[str, str]) -> np.ndarray:
    # The data sets that a run declares are not part of the table, so the store is asked.
    expression = f"dataset.{clause['key']} {clause['comparator']} '{clause['value']}'"
    found: set[str] = set()
    token: str | None = None
    while token != "":
        experiments = sorted(set(runs["experiment_id"]))
        page = client().search_runs(experiments, expression, page_token=token, run_view_type=3)
        found |= {run.info.run_id for run in page}
        token = page.token or ""
    return np.asarray(runs.index.isin(found))
