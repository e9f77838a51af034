"""The workflow files, and what the catalogue says of them."""

import pytest

from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Recipe

RECIPES = catalogue().recipes
EACH = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.family.name} {recipe.name}")


def value(recipe: Recipe, title: str, name: str) -> object:
    (found,) = (node for node in recipe.graph.values() if node["_meta"]["title"] == title)
    return found["inputs"].get(name)


def sigmas(recipe: Recipe, title: str) -> list[float]:
    listed = value(recipe, title, "sigmas")
    assert isinstance(listed, str)
    return [float(each) for each in listed.split(",")]


@EACH
def test_the_steps_are_those_of_the_graph(recipe: Recipe) -> None:
    if recipe.steps.chosen:
        assert value(recipe, "Stage 1 sigmas", "steps") == recipe.steps.default
    else:
        assert len(sigmas(recipe, "Stage 1 sigmas")) == recipe.steps.default + 1
    arithmetic = recipe.family.arithmetic
    assert len(sigmas(recipe, "Stage 2 sigmas")) == arithmetic.refining_steps + 1
    assert len(sigmas(recipe, "Detailer sigmas")) == arithmetic.detailing_steps + 1


@EACH
def test_guidance_costs_the_passes_that_the_estimate_counts(recipe: Recipe) -> None:
    guided = value(recipe, "Stage 1 guider", "cfg") != 1.0
    assert recipe.passes == (2 if guided else 1)


@EACH
def test_every_model_file_in_a_graph_is_named_by_a_role(recipe: Recipe) -> None:
    slots = {(slot.title, slot.name) for role in recipe.family.roles.values() for slot in role.into}
    named = {
        (node["_meta"]["title"], name)
        for node in recipe.graph.values()
        for name, each in node["inputs"].items()
        if str(each).endswith(".safetensors")
    }
    assert named
    assert named <= slots


def test_two_recipes_of_a_family_give_the_same_node_the_same_number() -> None:
    for family in catalogue().families:
        seen: dict[str, str] = {}
        for recipe in (each for each in RECIPES if each.family is family):
            for key, node in recipe.graph.items():
                assert seen.setdefault(node["_meta"]["title"], key) == key
