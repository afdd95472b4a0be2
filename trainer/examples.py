"""Examples of each command, shown at the end of its help; the tests carry them out in this order.

``cars`` is a folder of images and masks; RUN and MODEL stand for a run and a model, IMAGE for a
picture.
"""

from collections.abc import Sequence

EXAMPLES: dict[str, tuple[str, ...]] = {
    "trainer data": (
        "trainer data cars",
        "trainer data cars --write pairs.csv --sheet sheet.png",
    ),
    "trainer fit": (
        "trainer fit",
        "trainer fit --data cars --epochs 20 --lr 2e-4",
        "trainer fit --data cars --model resunet --loss bce+dice --seeds 3",
    ),
    "trainer lr-find": ("trainer lr-find --data cars --lowest 1e-6 --highest 1",),
    "trainer classify": ("trainer classify --data labelled --init-from MODEL",),
    "trainer resume": ("trainer resume RUN", "trainer resume RUN --epochs 40"),
    "trainer runs": ("trainer runs", "trainer runs --filter \"params.model = 'resunet'\""),
    "trainer evaluate": (
        "trainer evaluate RUN --split test",
        "trainer evaluate --predictions masks --data cars --out scores",
    ),
    "trainer compare": ("trainer compare RUN OTHER --all-seeds --plan",),
    "trainer stability": ("trainer stability RUN OTHER --metric val/miou",),
    "trainer register": ("trainer register RUN --name cars --alias champion",),
    "trainer predict": (
        "trainer predict models:/cars@champion IMAGE --out masks",
        "trainer predict RUN IMAGE IMAGE --out masks --overlay",
    ),
    "trainer promote": ("trainer promote cars 1 --alias champion",),
    "trainer pull": ("trainer pull models:/cars@champion --out pulled",),
    "trainer sync": ("trainer sync",),
    "trainer list": ("trainer list", "trainer list losses"),
    "trainer recipes": ("trainer recipes",),
    "trainer models": ("trainer models", "trainer models --model unet --depth 3"),
    "sweeps presets": ("sweeps presets",),
    "sweeps run": (
        "sweeps run lr-only --data cars --trials 8",
        "sweeps run spec.yaml --epochs 5 --workers 2",
    ),
    "sweeps resume": ("sweeps resume lr-only --trials 20",),
    "sweeps status": ("sweeps status",),
    "sweeps best": ("sweeps best lr-only",),
    "sweeps report": ("sweeps report lr-only --format csv", "sweeps report lr-only --html a.html"),
    "sweeps repair": ("sweeps repair",),
    "dashboard": ("dashboard", "dashboard --port 8600 --read-only"),
}


def shown_examples(prog: str) -> Sequence[str]:
    """Return the lines at the end of a command's help."""
    examples = EXAMPLES.get(prog, ())
    return ["", "examples:", *(f"  {each}" for each in examples)] if examples else []
