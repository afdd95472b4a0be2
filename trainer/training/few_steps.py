"""What is said before a run whose epochs are of too few steps to learn much."""

from trainer.config import TrainConfig
from trainer.wording import counted

FEW = 4
"""An epoch of fewer steps than this is told: a newcomer's first run is rarely meant so, …"""
WANTED = 8
"""… and a batch is named with which it would have about so many."""


def few_steps(config: TrainConfig, images: int, steps: int) -> list[str]:
    """Return a line that says so, and what to change; none where an epoch has steps enough.

    ``images`` are those that an epoch passes over, crops counted, and ``steps`` the optimiser's.
    """
    if steps >= FEW:
        return []
    at_once = config.images_at_once
    batch = f"batch size {at_once}"
    batch += f" and accumulate {config.accumulate}" if config.accumulate > 1 else ""
    batch += ", more than there are" if at_once > images else ""
    cures = [f"--epochs {config.epochs * -(-WANTED // steps)}"]
    smaller = max(1, images // WANTED)
    if smaller < at_once or config.accumulate > 1:
        alone = " --accumulate 1" if config.accumulate > 1 else ""
        cures.insert(0, f"--batch-size {min(smaller, at_once)}{alone}")
    return [
        f"an epoch is {counted(steps, 'step')} of the optimiser: {counted(images, 'image')} at "
        f"{batch}; {counted(config.epochs, 'epoch')} are {counted(steps * config.epochs, 'step')}. "
        f"To learn more: {' or '.join(cures)}"
    ]
