"""The tables of names: what each stands for, without importing it.

To add a loss, an optimiser, a layout or a preset, write its module or function and add one line
here (and one in its test table). An unknown name's error lists these. The architectures' table
is `trainer.models.MODELS`, because it travels with every registered model.
"""

LOSSES = {
    "bce": "trainer.network.losses:BinaryCrossEntropy",
    "cross-entropy": "trainer.network.losses:CrossEntropy",
}

OPTIMIZERS = {
    "adam": "trainer.training.optimizers:adam",
    "adamw": "trainer.training.optimizers:adamw",
    "sgd": "trainer.training.optimizers:sgd",
    "rmsprop": "trainer.training.optimizers:rmsprop",
}

SCHEDULES = {
    "constant": "trainer.training.schedules:constant",
    "cosine": "trainer.training.schedules:cosine",
    "plateau": "trainer.training.schedules:plateau",
}

# Tried in this order, from the most particular to the general.
LAYOUTS = {
    "turntable": "trainer.data.layouts.turntable:LAYOUT",
    "carvana": "trainer.data.layouts.carvana:LAYOUT",
    "camvid": "trainer.data.layouts.camvid:LAYOUT",
    "voc": "trainer.data.layouts.voc:LAYOUT",
    "pets": "trainer.data.layouts.pets:LAYOUT",
    "drive": "trainer.data.layouts.drive:LAYOUT",
    "isbi": "trainer.data.layouts.isbi:LAYOUT",
    "kvasir": "trainer.data.layouts.kvasir:LAYOUT",
    "dsb2018": "trainer.data.layouts.dsb:LAYOUT",
    "folders": "trainer.data.layouts.folders:LAYOUT",
}

GEOMETRIES = {
    "resize": "the whole image, scaled to image_size",
    "pad": "the image at its own scale, padded",
    "random-crop": "crops of image_size at the image's own scale; whole images when validating",
    "five-crop": "the four corners and the centre, each image_size; whole images when validating",
}

NORMALISATIONS = ("dataset", "imagenet", "none")
AUGMENTATIONS = ("none", "flips", "light", "report-4", "report-2", "strong")
CLASS_WEIGHTS = ("none", "inverse", "median-frequency", "effective-number")
PRECISIONS = ("auto", "float32", "bfloat16")
# No auto: what a score means must not hang on the machine that computed it.
EVAL_PRECISIONS = ("float32", "bfloat16")
