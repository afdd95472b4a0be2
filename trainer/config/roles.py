"""The fields of the configuration that name a component, or that have settings once given.

Nothing here imports torch.
"""

from trainer.catalogue.data import (
    AUGMENTATIONS,
    CACHES,
    FOLDS,
    GEOMETRIES,
)
from trainer.catalogue.losses import LOSSES, loss_terms
from trainer.catalogue.optimizers import OPTIMIZERS
from trainer.catalogue.schedules import PATIENCE, SCHEDULES
from trainer.models import MODELS
from trainer.settings import Role, is_given


def _preset(augment: object) -> tuple[str, ...]:
    # A file holds its own probabilities, and has no more settings than no augmentation.
    return ("none" if str(augment).endswith((".yaml", ".yml")) else str(augment),)


def _summed(loss: object) -> tuple[str, ...]:
    return tuple(name for _, name in loss_terms(str(loss)))


ROLES = (
    Role(field="geometry", table=GEOMETRIES),
    Role(field="folds", table=FOLDS, keys=is_given),
    Role(field="cache", table=CACHES),
    Role(field="augment", table=AUGMENTATIONS, keys=_preset),
    Role(field="model", table=MODELS),
    Role(field="loss", table=LOSSES, keys=_summed),
    Role(field="optimizer", table=OPTIMIZERS),
    Role(field="schedule", table=SCHEDULES),
    Role(field="patience", table=PATIENCE, keys=is_given),
)


def role_of(name: str) -> Role | None:
    """Return the role whose components have a setting ``name``; None for a general field."""
    return next((role for role in ROLES if name in role.names()), None)
