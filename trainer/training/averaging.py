"""An exponential moving average of the weights, kept and scored beside those that learn."""

from copy import copy

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainer.network.forward import Forward

AVERAGED, LEARNING = "ema.safetensors", "learning.safetensors"
"""Files of a checkpoint: what does not stand in for the model there lies beside it."""


class WeightAverage:
    """The average of a network's weights over the optimiser's steps.

    What a normalisation remembers of its inputs is averaged as the weights are: at any other
    decay it would be of another network than theirs, and counting it anew would take a pass over
    the training images each epoch.

    ``forward`` computes with the average. ``is_judged`` says that it is what the run monitors, so
    that it is the model of a checkpoint.
    """

    def __init__(self, learning: Forward, decay: float, *, is_judged: bool) -> None:
        self._learning = learning.model
        self._decay = decay
        self._averaged = AveragedModel(learning.model, use_buffers=True)
        self.forward = copy(learning)
        self.forward.model = self._averaged.module
        self.is_judged = is_judged

    @property
    def updates(self) -> int:
        """How many steps it is of."""
        return int(self._averaged.n_averaged)  # on the processor: nothing waits for a GPU

    @updates.setter
    def updates(self, number: int) -> None:
        self._averaged.n_averaged.fill_(number)

    def update(self) -> None:
        """Take in the weights as a step has left them.

        The decay rises to its full value, so that the random weights of the start are soon gone.
        """
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        self._averaged.multi_avg_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._averaged.update_parameters(self._learning)
