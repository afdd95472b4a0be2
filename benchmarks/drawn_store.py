"""A small store that holds every state a page can meet, with the artifacts of the contract."""

import itertools
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from drawn_runs import MINUTE, DrawnRun, drawn_run, new_id, status_of, summary_of, tags_of
from drawn_scenes import (
    BINARY,
    STREET,
    Scene,
    count_pixels,
    draw_scenes,
    predict,
    write_json,
)

from trainer.analysis.diagnosis import diagnose
from trainer.analysis.ratios import PixelCounts, summary
from trainer.analysis.scores import counts, image_scores, iou
from trainer.config import TrainConfig
from trainer.data.collection import ClassInfo
from trainer.evaluation.per_image import write_part
from trainer.evaluation.samples import Strip, write_predictions, write_samples, write_worst
from trainer.tracking.heartbeat import HEARTBEAT

EPOCHS = 12
IMAGES = 16
SAMPLES = 6
WORST = 6
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def small_store(*, now: int) -> Iterator[DrawnRun]:
    """Yield about 40 runs, oldest first: a grid with seeds, street scenes, a sweep, odd ones."""
    rng = np.random.default_rng(7)
    clock = itertools.count(now - 50 * HOUR, HOUR)
    yield from _carvana_grid(clock, rng)
    yield from _street(clock, rng)
    yield from _sweep(clock, rng)
    yield from _odd_runs(clock, rng)
    yield from _foreign(clock, rng)
    running = TrainConfig(experiment="turntable", lr=3e-4, epochs=40, run_name="still training")
    training = scene_run(running, "running", start=now - 5 * MINUTE, rng=rng, length=9)
    # On another machine, and it stays so however long somebody looks at the store.
    training.tags[HEARTBEAT] = json.dumps({"host": "elsewhere", "pid": 1, "time": now + DAY})
    yield training


def _carvana_grid(clock: Iterator[int], rng: np.random.Generator) -> Iterator[DrawnRun]:
    for lr, batch, seed in itertools.product((5e-5, 1e-4, 5e-4), (16, 32), range(3)):
        config = TrainConfig(
            lr=lr, batch_size=batch, seed=seed, epochs=EPOCHS, experiment="carvana", data="carvana"
        )
        dips = (3, 8) if lr == 1e-4 and batch == 16 and seed < 2 else ()
        yield scene_run(config, "completed", start=next(clock), rng=rng, dips=dips)


def _street(clock: Iterator[int], rng: np.random.Generator) -> Iterator[DrawnRun]:
    for augment, loss in itertools.product(("none", "flips"), ("cross-entropy",)):
        for seed in range(2):
            config = TrainConfig(
                augment=augment,
                loss=loss,
                seed=seed,
                epochs=EPOCHS,
                patience=4,
                experiment="street",
                data="street",
                run_name=f"street {augment}",
            )
            outcome = "early-stopped" if augment == "none" else "completed"
            run = scene_run(config, outcome, start=next(clock), rng=rng, classes=STREET)
            if augment == "none":
                rising = [(s, v + max(0, s - 5) * 0.03) for s, v in run.curves["val/loss"]]
                run.curves["val/loss"] = rising
            yield run


def _sweep(clock: Iterator[int], rng: np.random.Generator) -> Iterator[DrawnRun]:
    start = next(clock)
    parent = DrawnRun(
        name="lr-batch-kernel",
        experiment="sweep",
        status="FINISHED",
        start=start,
        end=start + 9 * HOUR,
        params={"trials": "8"},
        run_id=new_id(),
        tags={
            "segscope.kind": "sweep",
            "segscope.sweep": "lr-batch-kernel",
            "segscope.outcome": "completed",
        },
    )
    yield parent
    for trial in range(8):
        config = TrainConfig(
            lr=float(f"{10 ** rng.uniform(-5, -2.5):.3g}"),
            batch_size=int(rng.choice([8, 16, 32])),
            kernel_size=int(rng.choice([3, 5])),
            epochs=EPOCHS,
            experiment="sweep",
            run_name=f"trial {trial}",
        )
        outcome = {2: "pruned", 5: "pruned", 6: "failed"}.get(trial, "completed")
        run = scene_run(config, outcome, start=next(clock), rng=rng)
        run.tags |= {
            "mlflow.parentRunId": parent.run_id,
            "segscope.sweep": "lr-batch-kernel",
            "segscope.trial": str(trial),
        }
        yield run


def _odd_runs(clock: Iterator[int], rng: np.random.Generator) -> Iterator[DrawnRun]:
    base = TrainConfig(experiment="odd", epochs=EPOCHS)
    yield scene_run(
        base.replace(epochs=1, run_name="one epoch"),
        "completed",
        start=next(clock),
        rng=rng,
        length=1,
    )
    diverged = scene_run(
        base.replace(lr=0.05, run_name="diverged"), "failed", start=next(clock), rng=rng, length=4
    )
    diverged.curves["train/loss"][-1] = (4, float("nan"))
    diverged.curves["val/dice"][-1] = (4, float("nan"))
    diverged.tags["segscope.reason"] = "train/loss is nan at epoch 4; lower lr or set gradient_clip"
    yield diverged
    hostile = drawn_run(base.replace(run_name="x"), "completed", EPOCHS, start=next(clock), rng=rng)
    hostile.name = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1)) $x^2$"
    hostile.tags["mlflow.note.content"] = "<script>alert(1)</script> **not bold**"
    yield hostile
    archived = drawn_run(base, "dips", EPOCHS, start=next(clock), rng=rng)
    archived.name, archived.archived = "archived", True
    yield archived
    empty = drawn_run(
        base.replace(run_name="half-written"), "running", 1, start=next(clock), rng=rng
    )
    empty.name, empty.curves = "half-written", {}
    yield empty
    collapsed = scene_run(
        base.replace(lr=2e-3, run_name="collapsed"), "completed", start=next(clock), rng=rng
    )
    collapsed.curves["val/foreground_share"] = [(e, 0.0005) for e in range(1, EPOCHS + 1)]
    yield collapsed


def _foreign(clock: Iterator[int], rng: np.random.Generator) -> Iterator[DrawnRun]:
    for number in range(2):
        epoch = np.arange(1, 31)
        score = 0.8 - 0.5 * np.exp(-epoch / 6) + rng.normal(0, 0.01, 30)
        start = next(clock)
        yield DrawnRun(
            name=f"keras_baseline_{number}",
            experiment="another program",
            status="FINISHED",
            start=start,
            end=start + 20 * MINUTE,
            tags={"framework": "keras"},
            params={"learning_rate": "0.001", "units": str(64 << number)},
            curves={
                "val_dice_coef": list(zip(epoch.tolist(), score.tolist(), strict=True)),
                "loss": list(zip(epoch.tolist(), (1 - score).tolist(), strict=True)),
            },
        )


def scene_run(
    config: TrainConfig,
    outcome: str,
    *,
    start: int,
    rng: np.random.Generator,
    length: int | None = None,
    dips: tuple[int, ...] = (),
    classes: tuple[tuple[str, tuple[int, int, int]], ...] = BINARY,
) -> DrawnRun:
    """Return a run whose metrics are counted from the masks that its artifacts hold."""
    short = {"pruned": 4, "failed": 6, "early-stopped": 9}
    length = length or short.get(outcome, EPOCHS)
    names = [name for name, _ in classes]
    scenes = draw_scenes(IMAGES, len(classes), seed=len(classes))
    error = _errors(config, length, rng)
    masks = [
        [predict(scene, error[e], dip=e + 1 in dips, rng=rng) for scene in scenes]
        for e in range(length)
    ]
    matrices = [
        np.stack([count_pixels(m, s.target, len(classes)) for m, s in zip(e, scenes, strict=True)])
        for e in masks
    ]
    outcome = "" if outcome == "running" else outcome
    run = drawn_run(config, "completed", length, start=start, rng=rng)
    run.name = config.run_name or run.name
    run.status, run.tags = status_of(outcome), tags_of(config, outcome)
    run.tags["segscope.classes"] = str(names).replace("'", '"')
    if not outcome:
        run.end = None
    run.curves |= _scores(matrices, names, error)
    run.curves["train/grad_norm"] = [
        (e, 0.8 + (6.5 if e in dips else 0) + 0.2 * float(rng.random()))
        for e in range(1, length + 1)
    ]
    run.summary = summary_of(run.curves) if outcome else {}
    levels = {key: np.array([v for _, v in curve]) for key, curve in run.curves.items()}
    findings = (
        diagnose(
            levels,
            num_val_images=IMAGES,
            outcome=outcome or None,
            patience=config.patience,
            target_foreground_share=0.2,
        )
        if outcome
        else []
    )
    run.write_artifacts = partial(
        write_artifacts,
        config=config,
        scenes=scenes,
        masks=masks,
        matrices=matrices,
        classes=classes,
        grad_norm=levels["train/grad_norm"].tolist(),
        findings=[finding.to_json() for finding in findings],
    )
    return run


def _strip(scenes: list[Scene]) -> Strip:
    return Strip(
        names=tuple(s.name for s in scenes),
        images=tuple(s.image for s in scenes),
        targets=tuple(s.target for s in scenes),
    )


def _errors(config: TrainConfig, length: int, rng: np.random.Generator) -> np.ndarray:
    good = 0.03 + 0.03 * abs(np.log10(config.lr) + 3.5)
    epoch = np.arange(1, length + 1)
    return np.clip(good + 0.5 * np.exp(-epoch / 2.5) + rng.normal(0, 0.004, length), 0.01, 1)


def _scores(
    matrices: list[np.ndarray], names: list[str], error: np.ndarray
) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for epoch, of_images in enumerate(matrices, start=1):
        scores = summary(PixelCounts(*counts(of_images)))
        values = {f"val/{key}": value for key, value in scores.items()}
        per_class = iou(*counts(of_images.sum(axis=0)))
        values |= {f"val/iou/{name}": float(v) for name, v in zip(names, per_class, strict=True)}
        values["val/loss"] = float(0.05 + 0.8 * (1 - values["val/dice"]))
        values["train/loss"] = float(0.04 + 0.5 * error[epoch - 1])
        values["train/dice"] = float(1 - 0.6 * error[epoch - 1])
        values["time/epoch_seconds"] = 19.0 + epoch % 3
        values["throughput/train_images_per_second"] = 41.0 + epoch % 2
        values["memory/peak_mib"] = 812.0
        for key, value in values.items():
            curves.setdefault(key, []).append((epoch, value))
    return curves


def write_artifacts(
    folder: Path,
    *,
    config: TrainConfig,
    scenes: list[Scene],
    masks: list[list[np.ndarray]],
    matrices: list[np.ndarray],
    classes: tuple[tuple[str, tuple[int, int, int]], ...],
    grad_norm: list[float],
    findings: list[dict[str, Any]],
) -> None:
    """Write what the store contract says a run leaves behind."""
    names = [n for n, _ in classes]
    listed = [{"name": n, "colour": list(c)} for n, c in classes]
    (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    (folder / "log.txt").write_text("".join(f"epoch {e + 1}\n" for e in range(len(masks))))
    write_json(folder / "environment.json", {"python": "3.11", "torch": "2.13.0", "cpu": "drawn"})
    write_json(
        folder / "dataset.json",
        {
            "layout": "drawn",
            "root": "drawn",
            "digest": "3f9a1c0b77de",
            "classes": listed,
            "mean": [0.5] * 3,
            "std": [0.2] * 3,
            "pairs": 100,
            "class_pixels": np.sum(matrices[0], axis=(0, 2)).tolist(),
        },
    )
    write_json(folder / "split.json", {"train": [], "val": [s.name for s in scenes], "test": []})
    infos = [ClassInfo(name=n, colour=c) for n, c in classes]
    write_samples(folder / "samples", _strip(scenes[:SAMPLES]), infos)
    for epoch, (of_epoch, confusion) in enumerate(zip(masks, matrices, strict=True), start=1):
        write_predictions(folder / "samples", epoch, of_epoch[:SAMPLES], infos)
        dice = image_scores(confusion)
        worst = np.argsort(dice)[:WORST]
        write_worst(
            folder / "samples",
            epoch,
            _strip([scenes[i] for i in worst]),
            [of_epoch[i] for i in worst],
            dice[worst].tolist(),
            infos,
        )
        write_part(
            folder / "evaluation/per_image",
            epoch=epoch,
            images=[s.name for s in scenes],
            classes=names,
            confusion=confusion,
            lr=config.lr,
            grad_norm=grad_norm[epoch - 1],
            groups=[s.name for s in scenes],
        )
    write_json(
        folder / "evaluation/confusion.json",
        {
            "split": "val",
            "epoch": len(masks),
            "classes": names,
            "matrix": np.sum(matrices[-1], axis=0).tolist(),
        },
    )
    write_json(folder / "diagnoses.json", findings)
    for kind in ("last", "best"):
        write_json(folder / f"checkpoints/{kind}/state.json", {"epoch": len(masks)})
