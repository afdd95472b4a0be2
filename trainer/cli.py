"""The ``trainer`` command: train, evaluate and use one model."""

from trainer.command_line import dispatch
from trainer.commands.architectures import models
from trainer.commands.comparing import compare, stability
from trainer.commands.evaluating import evaluate
from trainer.commands.inspecting import data
from trainer.commands.listing import runs
from trainer.commands.naming import list_names
from trainer.commands.predicting import predict
from trainer.commands.registering import promote, pull, register
from trainer.commands.syncing import sync
from trainer.commands.training import classify, fit, lr_find, recipes, resume
from trainer.interruption import end_like_ctrl_c

COMMANDS = {
    "fit": fit,
    "classify": classify,
    "resume": resume,
    "lr-find": lr_find,
    "runs": runs,
    "sync": sync,
    "data": data,
    "evaluate": evaluate,
    "compare": compare,
    "stability": stability,
    "predict": predict,
    "register": register,
    "promote": promote,
    "pull": pull,
    "list": list_names,
    "recipes": recipes,
    "models": models,
}


def main() -> int:
    """Run the command line and return the exit code."""
    end_like_ctrl_c()
    return dispatch("trainer", "Train segmentation models and use them.", COMMANDS)
