"""Bulk reads through an MLflow server, over the requests that its own pages make.

The server answers at most 25,000 rows of history and 100 runs a request, and says nothing when it
cut something off: a full answer is therefore asked again in halves.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from trainer.store import without_password
from trainer.tracking.records import MetricColumns, Page, RunRecord

Row = tuple[str, str, int, float, int]

RUNS_A_REQUEST = 100
ROWS_A_REQUEST = 25_000
RUNS_A_PAGE = 500
"""About two seconds of one server process: what else is asked meanwhile waits no longer."""
CONNECTIONS = 4
RETRIES = 1
_HISTORY = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
_SEARCH = "/api/2.0/mlflow/runs/search"
_EXPERIMENTS = "/api/2.0/mlflow/experiments/search"


class RestReader:
    """Reads a store behind an ``http`` or ``https`` tracking server.

    Raises ``ValueError`` when the server cannot be reached or refuses.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._shown = without_password(uri)
        self._credentials = get_default_host_creds(uri)

    def runs(self, since: int | None = None) -> list[RunRecord]:
        """Return all runs, archived ones too, or those that may have changed since ``since`` ms."""
        if since is None:
            return _once(record for page in self.pages() for record in page.records)
        return self._matching(
            "attributes.status = 'RUNNING'",
            "attributes.status = 'SCHEDULED'",
            f"attributes.start_time >= {since}",
            f"attributes.end_time >= {since}",
        )

    def pages(self) -> Iterator[Page]:
        """Yield all runs in parts, the newest first; one that begins meanwhile may shift others.

        A run may then come twice, and none is left out.
        """
        names = self._experiments()
        for answer in self._search(list(names), ""):
            records = [_record(run, names) for run in answer.get("runs", [])]
            yield Page(records, last=not answer.get("next_page_token"))

    def chosen(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of the runs that the store has."""
        some = [run_ids[i : i + RUNS_A_REQUEST] for i in range(0, len(run_ids), RUNS_A_REQUEST)]
        quoted = [", ".join(f"'{run_id}'" for run_id in part if run_id.isalnum()) for part in some]
        return self._matching(*(f"attributes.run_id IN ({part})" for part in quoted if part))

    def _matching(self, *expressions: str) -> list[RunRecord]:
        names = self._experiments()
        return _once(
            _record(run, names)
            for expression in expressions
            for answer in self._search(list(names), expression)
            for run in answer.get("runs", [])
        )

    def history(
        self, run_ids: Sequence[str], keys: Sequence[str], since: int | None = None
    ) -> list[MetricColumns]:
        """Return every logged value of the metrics in pieces."""
        chosen = sorted(run_ids)
        jobs = [
            (key, chosen[start : start + RUNS_A_REQUEST])
            for key in keys
            for start in range(0, len(chosen), RUNS_A_REQUEST)
        ]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            parts = pool.map(lambda job: self._history(*job), jobs)
            rows = [row for part in parts for row in part if row[4] >= (since or 0)]
        return [MetricColumns(*zip(*rows, strict=True))] if rows else []

    def _history(self, key: str, run_ids: list[str]) -> list[Row]:
        query = [("metric_key", key), ("max_results", str(ROWS_A_REQUEST))]
        query += [("run_id", run_id) for run_id in run_ids]
        rows = self._ask("GET", _HISTORY, params=query).get("metrics", [])
        if len(rows) < ROWS_A_REQUEST:
            return [
                (r["run_id"], key, int(r["step"]), float(r["value"]), int(r["timestamp"]))
                for r in rows
            ]
        if len(run_ids) == 1:
            return self._paged_history(key, run_ids[0])
        middle = len(run_ids) // 2
        return self._history(key, run_ids[:middle]) + self._history(key, run_ids[middle:])

    def _paged_history(self, key: str, run_id: str) -> list[Row]:
        try:
            metrics = MlflowClient(self._uri).get_metric_history(run_id, key)
        except MlflowException as error:
            raise ValueError(f"store: {self._shown} refused: {error.message}") from error
        return [(run_id, key, m.step, m.value, m.timestamp) for m in metrics]

    def _experiments(self) -> dict[str, str]:
        found: dict[str, str] = {}
        body: dict[str, Any] = {"max_results": 1000, "view_type": "ALL"}
        for answer in self._pages(_EXPERIMENTS, body):
            found |= {e["experiment_id"]: e["name"] for e in answer.get("experiments", [])}
        return found

    def _search(self, experiment_ids: list[str], expression: str) -> Iterator[dict[str, Any]]:
        body = {
            "experiment_ids": experiment_ids,
            "filter": expression,
            "run_view_type": "ALL",
            "max_results": RUNS_A_PAGE,
            "order_by": ["attributes.start_time DESC"],
        }
        yield from self._pages(_SEARCH, body)

    def _pages(self, endpoint: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while token != "":
            answer = self._ask("POST", endpoint, json={**body, "page_token": token or ""})
            yield answer
            token = answer.get("next_page_token", "")

    def _ask(self, method: str, endpoint: str, **payload: Any) -> dict[str, Any]:
        try:
            response = http_request(
                self._credentials, endpoint, method, max_retries=RETRIES, timeout=60, **payload
            )
        except (MlflowException, requests.RequestException) as error:
            raise ValueError(f"store: the server {self._shown} cannot be reached") from error
        if response.status_code != 200:
            raise ValueError(
                f"store: the server {self._shown} answered {response.status_code} to {endpoint}"
            )
        answer: dict[str, Any] = response.json()
        return answer


def _once(records: Iterable[RunRecord]) -> list[RunRecord]:
    return list({record.run_id: record for record in records}.values())


def _record(run: dict[str, Any], experiments: dict[str, str]) -> RunRecord:
    info, data = run["info"], run.get("data", {})
    metrics = data.get("metrics", [])
    tags = {tag["key"]: tag.get("value", "") for tag in data.get("tags", [])}
    return RunRecord(
        run_id=info["run_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", ""),
        status=info["status"],
        start=_milliseconds(info.get("start_time")),
        end=_milliseconds(info.get("end_time")),
        archived=info.get("lifecycle_stage") == "deleted",
        experiment_id=info["experiment_id"],
        experiment=experiments.get(info["experiment_id"], ""),
        user=info.get("user_id", ""),
        artifact_uri=info.get("artifact_uri", ""),
        params={param["key"]: param.get("value", "") for param in data.get("params", [])},
        tags=tags,
        metrics={m["key"]: float(m.get("value", 0.0)) for m in metrics},
        last_step=max((int(m.get("step", 0)) for m in metrics), default=0),
        last_logged=max((int(m.get("timestamp", 0)) for m in metrics), default=None),
    )


def _milliseconds(value: Any) -> int | None:
    return int(value) if value else None
