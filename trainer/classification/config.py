"""One training of a classifier: the fields of a run that it reads, and what it makes of them.

Nothing here imports torch.
"""

from typing import Any

from trainer.analysis.score_table import monitors
from trainer.catalogue.losses import loss_terms
from trainer.config import General, TrainConfig
from trainer.names import check

KIND = "classifier"
LAYOUTS = ("auto", "folders", "pets")
SCORES = ("balanced_accuracy", "accuracy")
LOSSES = ("auto", "bce", "cross-entropy", "focal", "hinge")

# What says how masks are read and scored, or how a data set without masks was always read.
NOT_READ = frozenset(
    {"images", "masks", "combine", "mask_values", "threshold", "trimap_border"}
    | {"boundary_iou", "samples"}
)


class ClassifyConfig(TrainConfig):
    """A `TrainConfig` without what is of masks alone; ``monitor`` is of one of `SCORES`.

    Raises ``ValueError`` for a field that a classifier does not read, and for a layout, a loss or
    a monitor that it has not.
    """

    kind = KIND

    def __init__(self, **values: Any) -> None:
        for name in NOT_READ & values.keys():
            if values[name] != getattr(General, name):
                raise ValueError(f"{name}: is of masks, which a classifier has not; leave it out")
        read = {name: value for name, value in values.items() if name not in NOT_READ}
        # Sample pictures are of masks.
        super().__init__(**{"monitor": f"val/{SCORES[0]}", **read, "samples": 0})
        check("layout of a classifier", self.layout, LAYOUTS)
        known = [metric for metric in monitors() if metric.rpartition("/")[2] in SCORES]
        check("monitor of a classifier", self.monitor, known)
        for _, term in loss_terms(self.loss):
            check("loss of a classifier", term, LOSSES)

    def values(self) -> dict[str, Any]:
        """Return everything that the run reads by its flat name."""
        return {name: value for name, value in super().values().items() if name not in NOT_READ}
