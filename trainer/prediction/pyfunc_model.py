"""The MLflow model that ships inside every registered model ("models from code").

It runs where our packages are not installed: what it needs lies beside it as ``segscope_model``.
Images in, ``uint8 (batch, height, width, channels)``; class indices out, ``uint8 (batch, height,
width)``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class SegmentationModel(PythonModel):
    """Predict masks of images of any size."""

    def load_context(self, context: Any) -> None:
        """Load weights and settings, JSON and safetensors, from the model's own artifacts."""
        # Not at the top: mlflow also reads this file where the model is being saved, before
        # `segscope_model` lies beside it.
        from segscope_model.prediction.predictor import (  # type: ignore[import-not-found]
            Predictor,
        )

        self.predictor = Predictor(Path(context.artifacts["model"]))

    # mlflow wants exactly these names. The hint of an array keeps it from asking for one of its own
    # kind, which cannot say "a batch of images".
    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return the masks of a batch of images."""
        return np.stack([self.predictor.predict(image) for image in np.asarray(model_input)])


set_model(SegmentationModel())
