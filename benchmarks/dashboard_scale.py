"""Measure the dashboard's data layer on a large store, beside the requests of MLflow's own pages.

    python benchmarks/build_store.py --uri sqlite:///big/mlflow.db --runs 10000 --epochs 100
    python benchmarks/dashboard_scale.py --uri sqlite:///big/mlflow.db [--mlflow-ui]

Each first time is taken in a fresh process. ``--mlflow-ui`` starts an MLflow server on the same
database, lets it come to rest and times what its pages ask for: the first 100 runs, and one metric
of 100 runs (of which it answers at most 320 sampled points each).
"""

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

FILTER = "params.batch_size = '16' and metrics.`best/val_dice` > 0.9"
REPEATS = 5
REQUESTS = 3  # Of each kind to MLflow, some of which take half a minute.
SETTLING = 30.0  # Seconds; a server's other processes go on starting after it first answers.
CURVES = 100


def main() -> None:
    """Print one row for each thing that a reader waits for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", required=True)
    parser.add_argument("--mlflow-ui", action="store_true")
    parser.add_argument("--part", choices=["cold", "warm", "epoch"], help=argparse.SUPPRESS)
    flags = parser.parse_args()
    os.environ["MLFLOW_TRACKING_URI"] = flags.uri
    if flags.part:
        print(json.dumps({"cold": cold, "warm": warm, "epoch": new_epoch}[flags.part]()))
        return
    rows = {}
    for part in ("cold", "warm", "epoch"):
        command = [sys.executable, __file__, "--uri", flags.uri, "--part", part]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows |= json.loads(done.stdout.splitlines()[-1])
    if flags.mlflow_ui:
        rows |= mlflow_ui(flags.uri)
    print("| What | Measured |\n| --- | ---: |")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def cold() -> dict[str, str]:
    """Time the first table of runs of a process, imports apart."""
    from dashboard.store import reads

    before = time.process_time()
    seconds, table = _timed(reads.overview)
    processor = time.process_time() - before
    shown, _ = _timed(lambda: reads.with_curves(table.head(200)))
    rows = {
        f"table of {len(table):,} runs, first": f"{seconds:.2f} s ({processor:.2f} s of CPU)",
        "sparklines of its first 200 rows": f"{shown:.2f} s",
    }
    if not reads.store().complete:
        rest, count = _timed(wait_until_complete)
        rows[f"until all {count:,} runs are there"] = f"{seconds + shown + rest:.2f} s"
    return rows


def wait_until_complete() -> int:
    """Return the number of runs once a store that is read in parts has been read."""
    from dashboard.store import reads

    reads.runs()
    while not reads.store().complete:
        time.sleep(0.1)
    return len(reads.runs())


def warm() -> dict[str, str]:
    """Time what a reader does once the table is there, and the memory of it all."""
    from dashboard.store import reads, run_table

    wait_until_complete()
    table = reads.overview()
    runs = reads.runs()
    again = _median(lambda: reads.with_curves(reads.overview().head(200)))
    by_score = _median(lambda: reads.overview().sort_values("best_dice").head(200))
    filtered = _median(lambda: reads.matching(reads.runs(), FILTER))
    searched = _median(lambda: run_table.search(reads.runs(), "unet 0.0001"))
    groups = _median(lambda: run_table.grouped(reads.overview(), ["batch_size", "kernel_size"]))
    finished = list(table.index[table["state"] == "completed"][200 : 200 + CURVES])
    curves, _ = _timed(lambda: reads.curves(finished, "val/dice"))
    every, _ = _timed(lambda: reads.curves(list(runs.index), "val/dice"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "table again": f"{again:.3f} s",
        "order by a metric over all runs": f"{by_score:.3f} s",
        "MLflow filter over all runs": f"{filtered:.3f} s",
        "search over all runs": f"{searched:.3f} s",
        "groups over all runs": f"{groups:.3f} s",
        f"curves of {CURVES} runs, every epoch": f"{curves:.3f} s",
        f"curves of all {len(runs):,} runs": f"{every:.2f} s",
        "largest memory, all of that": f"{memory:.0f} MiB",
    }


def new_epoch() -> dict[str, str]:
    """Time from a running run's new epoch until the table and the curve have it."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from dashboard.store import reads

    wait_until_complete()
    table = reads.overview()
    run_id = str(table.index[table["state"] == "running"][0])
    reads.curves([run_id], "val/dice")
    last = int(reads.run(run_id)["last_step"]) + 1
    metric = Metric("val/dice", 0.9, int(time.time() * 1000), last)
    MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).log_batch(run_id, [metric])
    started = time.perf_counter()
    while reads.curves([run_id], "val/dice")[run_id].steps[-1] != last:
        time.sleep(0.05)
    in_curve = time.perf_counter() - started
    while reads.run(run_id)["last_step"] != last:
        time.sleep(0.05)
    in_table = time.perf_counter() - started
    return {
        "a running run's new epoch, in its curve": f"{in_curve:.2f} s",
        "and in the table": f"{in_table:.2f} s",
    }


def mlflow_ui(uri: str) -> dict[str, str]:
    """Time what MLflow's own pages ask a server on the same database for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        uri,
        "--workers",
        "1",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{base}/health")
        time.sleep(SETTLING)
        found = _post(f"{base}/api/2.0/mlflow/experiments/search", {"max_results": 1000})
        ids = [e["experiment_id"] for e in found["experiments"]]
        body: dict[str, Any] = {
            "experiment_ids": ids,
            "max_results": 100,
            "order_by": ["attributes.start_time DESC"],
        }
        search = f"{base}/ajax-api/2.0/mlflow/runs/search"
        page = _median(lambda: _post(search, body), REQUESTS)
        answer = _post(search, body)
        sorted_body = body | {"order_by": ["metrics.`best/val_dice` DESC"]}
        by_metric = _median(lambda: _post(search, sorted_body), REQUESTS)
        filtered = _median(lambda: _post(search, body | {"filter": FILTER}), REQUESTS)
        query = "&".join(f"run_ids={run['info']['run_id']}" for run in answer["runs"])
        sampled = f"{base}/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        address = f"{sampled}?{query}&metric_key=val%2Fdice&max_results=320"
        curves = _median(lambda: urllib.request.urlopen(address).read(), REQUESTS)
    finally:
        process.terminate()
        process.wait(timeout=30)
    return {
        "MLflow UI: first 100 runs": f"{page:.2f} s",
        "MLflow UI: first 100 by a metric": f"{by_metric:.2f} s",
        "MLflow UI: the same filter, first 100": f"{filtered:.2f} s",
        "MLflow UI: curves of 100 runs, sampled": f"{curves:.2f} s",
    }


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def _median(action: Callable[[], Any], repeats: int = REPEATS) -> float:
    return statistics.median(_timed(action)[0] for _ in range(repeats))


def _post(address: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        value: dict[str, Any] = json.loads(answer.read())
    return value


def _wait_for(address: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{address} did not answer")


if __name__ == "__main__":
    main()
