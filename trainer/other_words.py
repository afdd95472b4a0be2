"""What other programs call our settings, so that a first guess is answered with our word."""

from collections.abc import Iterable
from difflib import get_close_matches

OTHER_WORDS = {
    "arch": "model",
    "architecture": "model",
    "network": "model",
    "backbone_name": "backbone",
    "augmentation": "augment",
    "augmentations": "augment",
    "transforms": "augment",
    "amp": "precision",
    "dtype": "precision",
    "fp16": "precision",
    "bf16": "precision",
    "mixed_precision": "precision",
    "batch": "batch_size",
    "bs": "batch_size",
    "grad_accum": "accumulate",
    "gradient_accumulation_steps": "accumulate",
    "checkpoint": "init_from",
    "pretrained_weights": "init_from",
    "weights": "init_from",
    "clip": "gradient_clip",
    "clip_grad": "gradient_clip",
    "grad_clip": "gradient_clip",
    "max_grad_norm": "gradient_clip",
    "criterion": "loss",
    "loss_function": "loss",
    "data_dir": "data",
    "data_path": "data",
    "data_root": "data",
    "dataset": "data",
    "early_stopping": "patience",
    "early_stop": "patience",
    "ema": "ema_decay",
    "gpu": "device",
    "gpus": "device",
    "img_size": "image_size",
    "imgsz": "image_size",
    "input_size": "image_size",
    "resize": "image_size",
    "size": "image_size",
    "kernel": "kernel_size",
    "learning_rate": "lr",
    "levels": "depth",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "metric": "monitor",
    "name": "run_name",
    "project": "experiment",
    "normalization": "normalisation",
    "normalize": "normalisation",
    "num_workers": "workers",
    "opt": "optimizer",
    "optim": "optimizer",
    "optimiser": "optimizer",
    "random_seed": "seed",
    "random_state": "seed",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "n_splits": "folds",
    "kfold": "folds",
    "k_folds": "folds",
    "test_split": "test_fraction",
    "val_split": "val_fraction",
    "validation_split": "val_fraction",
    "in_channels": "channels",
    "width": "base_channels",
    "filters": "base_channels",
    "warmup": "warmup_epochs",
    "wd": "weight_decay",
    "output": "out",
    "output_dir": "out",
}

# As many names as can be taken in at a glance.
_FEW = 20


def unknown_setting(kind: str, name: str, known: Iterable[str], *, see: str) -> ValueError:
    """Return the error for a name that is no option or field of ours: the nearest one is named.

    Where none is near, it lists ``known`` if these are few, and else says where to ``see`` them.
    """
    ours = {_plain(each): each for each in known}
    others = {word: ours[setting] for word, setting in OTHER_WORDS.items() if setting in ours}
    words = others | ours
    near = [_plain(name)] if _plain(name) in words else get_close_matches(_plain(name), words, n=1)
    if near:
        return ValueError(f"unknown {kind} {name!r} (did you mean {words[near[0]]!r}?)")
    cure = f"known: {', '.join(sorted(ours.values()))}" if len(ours) <= _FEW else f"see {see}"
    return ValueError(f"unknown {kind} {name!r}; {cure}")


def _plain(name: str) -> str:
    return name.removeprefix("--").replace("-", "_").lower()
