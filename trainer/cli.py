"""The ``trainer`` command: train, evaluate and use one model."""

import signal

from trainer.command_line import dispatch
from trainer.commands.comparing import compare, stability
from trainer.commands.evaluating import evaluate
from trainer.commands.inspecting import data
from trainer.commands.predicting import predict
from trainer.commands.registering import promote, pull, register
from trainer.commands.training import fit, models, recipes, resume

COMMANDS = {
    "fit": fit,
    "resume": resume,
    "data": data,
    "evaluate": evaluate,
    "compare": compare,
    "stability": stability,
    "predict": predict,
    "register": register,
    "promote": promote,
    "pull": pull,
    "recipes": recipes,
    "models": models,
}


def main() -> int:
    """Run the command line and return the exit code."""
    # A terminated run is closed as an interrupted one is: marked, with its last epoch safe.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return dispatch("trainer", "Train segmentation models and use them.", COMMANDS)
