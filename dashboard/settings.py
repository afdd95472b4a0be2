"""How this dashboard was started; passed from the command to the app by the environment."""

import os
from dataclasses import dataclass

READ_ONLY = "SEGSCOPE_DASHBOARD_READ_ONLY"
LOGIN = "SEGSCOPE_DASHBOARD_LOGIN"
# What the server takes of an upload, and the page Predict of an image.
UPLOAD_MIB = 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command's flags say about the pages."""

    read_only: bool = False
    login: bool = False

    def to_environment(self) -> dict[str, str]:
        """Return the variables that `from_environment` reads back."""
        return {READ_ONLY: _flag(self.read_only), LOGIN: _flag(self.login)}


def from_environment() -> Settings:
    """Return the settings of this process; a variable that is not set means no."""
    return Settings(
        read_only=os.environ.get(READ_ONLY) == _flag(True),
        login=os.environ.get(LOGIN) == _flag(True),
    )


def _flag(value: bool) -> str:
    return "1" if value else "0"
