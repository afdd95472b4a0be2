"""Packages that only some installations need, and the extra of Segscope that brings each."""

from importlib import import_module

EXTRAS = {
    "imagecodecs": "tiff",
    "transformers": "backbones",
    "huggingface_hub": "backbones",
    "psycopg": "postgresql",
    "boto3": "s3",
    "botocore": "s3",
    "google.cloud": "gcs",
    "azure": "azure",
}
"""What is imported → the extra of ``pyproject.toml`` that brings it."""

PLACES = {"s3": "boto3", "gs": "google.cloud.storage", "wasbs": "azure.storage.blob"}
"""The kind of an address of files → the package by which MLflow reaches it."""


def check_place(address: str) -> None:
    """Raise ``ValueError`` where the package that reaches a place of files is not installed."""
    package = PLACES.get(address.partition("://")[0])
    if package is not None:
        try:
            import_module(package)
        except ImportError as error:
            raise ValueError(f"artifacts: {address}: {needed(package)}") from error


def missing(error: BaseException | None) -> str | None:
    """Return which package is not installed, and the command that installs it.

    None where neither the error nor what it was raised from is a failed import of one of `EXTRAS`.
    """
    while error is not None and not (isinstance(error, ImportError) and _known(error.name)):
        error = error.__cause__
    return None if error is None else needed(str(error.name))


def needed(package: str) -> str:
    """Return that a package of `EXTRAS` is not installed, and the command that installs it."""
    extra = EXTRAS[_known(package)]
    return f"{package} is not installed; install it with: pip install 'segscope[{extra}]'"


def _known(package: str | None) -> str:
    """Return the entry of `EXTRAS` that a module is of; empty where it is of none."""
    return next((name for name in EXTRAS if f"{package}.".startswith(f"{name}.")), "")
