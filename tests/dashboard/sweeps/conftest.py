"""What the tests of the page Sweeps share."""

from pathlib import Path

import pytest
import streamlit as st

from trainer.config import TrainConfig
from trainer.tracking import start_run
from trainer.tracking.client import begin


@pytest.fixture
def one_run(store: Path) -> str:
    """Put one run into an empty store: without any, no page but the welcome is shown."""
    st.cache_resource.clear()
    begin()
    run = start_run(TrainConfig(run_name="alone"))
    run.finish("completed")
    return run.id
