"""Named configurations."""

from pathlib import Path

import pytest

from trainer.config.recipes import RECIPES, recipe

# What each must be made smaller by, so that it trains in a second or two.
SMALL = {
    "epochs": 1,
    "batch_size": 4,
    "base_channels": 2,
    "samples": 1,
    "fraction": 1.0,
    "warmup_epochs": 0,
    "val_fraction": 0.25,
    "test_fraction": 0.25,
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_made_smaller(name: str, cars: Path, store: Path) -> None:
    from trainer.tracking import get_run
    from trainer.training.fitting import fit

    chosen = recipe(name)
    smaller = dict(SMALL)
    if "image_size" in chosen.values():
        smaller["image_size"] = (32, 48)
    config = chosen.replace(data=str(cars), cache="ram", **smaller)
    result = fit(config, progress=False)
    assert result.outcome == "completed"
    assert get_run(result.run_id).data.params["optimizer"] == chosen.optimizer


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_it_is_and_changes_what_it_names(name: str) -> None:
    named = RECIPES[name]
    assert 10 < len(named.about) < 85 and not named.about.endswith(".")
    values = recipe(name).values()
    assert {key: values[key] for key in named.values} == dict(named.values)
