"""A classifier is the encoder of any network, and a head."""

import pytest
import torch
from torch import Tensor, nn

from trainer.classification.network import Classifier
from trainer.models import MODELS, build_model
from trainer.training.transfer import encoder_of


def lowest(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a network's own forward pass makes of images at the end of its encoder."""
    last = encoder_of(network)[-1]
    kept: list[object] = []
    step = last[-1] if isinstance(last, nn.ModuleList) else last
    with step.register_forward_hook(lambda *given: kept.append(given[-1])):
        network(images)
    (found,) = kept
    found = getattr(found, "feature_maps", found)
    return found if isinstance(found, Tensor) else found[-1]  # type: ignore[index]


@pytest.mark.parametrize("name", MODELS)
def test_its_features_are_those_of_the_network_that_it_is_of(name: str) -> None:
    if name == "backbone-unet":
        pytest.importorskip("transformers")
    network = build_model(name, base_channels=4).eval()
    images = torch.rand(2, 3, 45, 70)
    expected = lowest(network, images)
    classifier = Classifier(network, in_channels=3, out_channels=5, dropout=0.0).eval()
    assert torch.equal(classifier.features(images), expected)
    logits = classifier(images)
    assert logits.shape == (2, 5, 1, 1)
    pooled = expected.mean(dim=(2, 3))
    assert torch.allclose(logits[..., 0, 0], classifier.head(pooled))


def test_it_has_the_encoders_weights_under_their_names_and_no_others() -> None:
    network = build_model("unet", base_channels=4, depth=2)
    own = set(Classifier(network, in_channels=3, out_channels=1, dropout=0.0).state_dict())
    inside = {n for n in network.state_dict() if n.split(".")[0] in network.encoder_parts}
    assert own == inside | {"head.weight", "head.bias"}


def test_it_drops_features_while_it_trains_alone() -> None:
    network = build_model("unet", base_channels=4, depth=2)
    classifier = Classifier(network, in_channels=3, out_channels=2, dropout=0.5)
    images = torch.rand(4, 3, 16, 16)
    assert classifier.training
    assert not torch.equal(classifier(images), classifier(images))
    classifier.eval()
    assert torch.equal(classifier(images), classifier(images))
