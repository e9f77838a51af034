"""The workflow files, and what the catalogue says of them."""

import pytest

from local.tiny.configuration import published
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Recipe
from ltx2_worker.catalog.inputs import Value

RECIPES = catalogue().recipes
EACH = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.family.name} {recipe.name}")

GUIDED = pytest.mark.parametrize(
    "recipe", [each for each in RECIPES if each.guidance], ids=lambda recipe: recipe.family.name
)


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
    if recipe.family.detailing:
        assert len(sigmas(recipe, "Detailer sigmas")) == recipe.family.detailing.steps + 1


@EACH
def test_a_graph_with_the_guider_s_scales_has_them_in_its_tables(recipe: Recipe) -> None:
    guided = value(recipe, "Stage 1 guider", "video_cfg") is not None
    assert guided == (recipe.guidance is not None)


@GUIDED
def test_the_full_guidance_takes_four_passes_a_step_and_the_plain_one_two(recipe: Recipe) -> None:
    assert recipe.guidance
    assert [recipe.guidance.chosen(name, has_control=False).passes for name in ("full", "plain")] == [4, 2]


@GUIDED
def test_the_block_that_guidance_perturbs_is_one_that_the_model_has(recipe: Recipe) -> None:
    block = value(recipe, "Stage 1 guider", "stg_block")
    assert isinstance(block, int)
    assert 0 <= block < published(recipe.family.name).checkpoint["transformer"]["num_layers"]


@EACH
def test_the_estimate_s_arithmetic_has_the_model_s_blocks(recipe: Recipe) -> None:
    model, transformer = recipe.family.arithmetic, published(recipe.family.name).checkpoint["transformer"]
    heads, each = transformer["num_attention_heads"], transformer["attention_head_dim"]
    assert (model.blocks, model.width) == (transformer["num_layers"], heads * each)


@EACH
def test_every_model_file_in_a_graph_is_named_by_a_role(recipe: Recipe) -> None:
    slots = {(slot.title, slot.name) for role in recipe.family.roles.values() for slot in role.into}
    # The operator's own are named by their tables.
    slots |= {(slot.title, slot.name) for slot in recipe.family.slots.get(Value.LORA_FILE, ())}
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
