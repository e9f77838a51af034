"""Fast, then pro, then fast again: what the engine reads from disk each time."""

import itertools
from typing import Any

import pytest

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from tests.engine.studio import Studio

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

LOADERS = {
    "Checkpoint",
    "Text encoder",
    "Audio VAE",
    "Camera LoRA",
    "Distilled LoRA",
    "Spatial upscaler model",
}
RECIPES: tuple[dict[str, Any], ...] = ({"quality": "fast"}, {"quality": "pro", "steps": 20})


@pytest.fixture(scope="module")
def studio(session_engine: Engine) -> Studio:
    session_engine.wait_ready(Deadline(90))
    return Studio(session_engine)


def loaders_that_ran(studio: Studio, *, resident: bool) -> list[set[str]]:
    seeds = itertools.count(100 if resident else 200)
    ran = []
    for recipe in (*RECIPES, *RECIPES):
        _, prompt = studio.prompt({"seed": next(seeds), "camera": "static"} | recipe, resident=resident)
        ran.append(LOADERS & studio.run(prompt).ran)
    return ran


def test_with_resident_loaders_each_recipe_reads_its_weights_once(studio: Studio) -> None:
    *_, fast_again, pro_again = loaders_that_ran(studio, resident=True)
    assert fast_again == pro_again == set()


def test_without_them_every_switch_reads_the_recipe_s_weights_again(studio: Studio) -> None:
    _, pro, fast_again, pro_again = loaders_that_ran(studio, resident=False)
    assert {"Checkpoint", "Text encoder", "Audio VAE", "Camera LoRA"} <= fast_again
    assert "Spatial upscaler model" not in fast_again | pro | pro_again
    assert pro_again == fast_again | {"Distilled LoRA"}
