"""What ``--version`` says: what runs here, on what, and with which store."""

import platform
from importlib.metadata import version

from trainer import __version__
from trainer.store import tracking_uri, without_password


def versions() -> str:
    """Return a line each of Segscope, Python, torch, MLflow, the device and the store.

    Of these torch alone is imported, which knows the device.
    """
    from trainer.network.device import choose_device, processor_name

    device = choose_device("auto")
    named = {
        "Segscope": __version__,
        "Python": platform.python_version(),
        "torch": version("torch"),
        "MLflow": version("mlflow"),
        "device": f"{device}, {processor_name(device) or 'an unnamed processor'}",
        "store": without_password(tracking_uri()),
    }
    return "\n".join(f"{name:<10}{value}" for name, value in named.items())
