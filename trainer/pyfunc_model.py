"""The MLflow model that ships inside every registered model ("models from code").

It runs where our packages are not installed: what it needs lies beside it as ``segscope_model``.
Images in, ``uint8 (batch, height, width, 3)``; class indices out, ``uint8 (batch, height, width)``.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

# mlflow recommends type hints of its own kind, which cannot say "a batch of images".
warnings.filterwarnings("ignore", message=".*[Tt]ype hint", category=UserWarning)


class SegmentationModel(PythonModel):
    """Predict masks of RGB images of any size."""

    def load_context(self, context: Any) -> None:
        """Load weights and settings, JSON and safetensors, from the model's own artifacts."""
        # Not at the top: mlflow also reads this file where the model is being saved, before
        # `segscope_model` lies beside it.
        from segscope_model.inference import (  # type: ignore[import-not-found]
            Predictor,
        )

        self.predictor = Predictor(Path(context.artifacts["model"]))

    # mlflow wants exactly these names.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Return the masks of a batch of images."""
        return np.stack([self.predictor.predict(image) for image in np.asarray(model_input)])


set_model(SegmentationModel())
