"""The tables of names: what each stands for, without importing it, and the settings it reads.

To add a loss, an optimiser, a schedule, a layout or a preset, write its module or function and
add one line to its table here (and one to its test table), with a dataclass of its settings where
no other has the same. An unknown name's error lists these. The architectures' table is
`trainer.models.MODELS`, because it travels with every registered model.
"""

DEVICE = "auto|cpu|cuda|cuda:N"
PRECISIONS = ("auto", "float32", "bfloat16")
# No auto: what a score means must not hang on the machine that computed it.
EVAL_PRECISIONS = ("float32", "bfloat16")
