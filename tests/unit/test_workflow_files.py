"""The workflow files and the code that fills them in name the same things."""

from typing import Any

import pytest

from ltx2_worker.catalog.files import manifest
from ltx2_worker.workflow.build import (
    DISTILLED_LORA_STRENGTH,
    GUIDANCE_SCALE,
    NEGATIVE_PROMPT,
    TITLES,
    workflow,
)
from ltx2_worker.workflow.graph import Prompt

BOTH = pytest.mark.parametrize("quality", ["fast", "pro"])


def titles(prompt: Prompt) -> set[str]:
    return {node["_meta"]["title"] for node in prompt.values()}


def value(prompt: Prompt, title: str, name: str) -> object:
    (found,) = (node for node in prompt.values() if node["_meta"]["title"] == title)
    return found["inputs"][name]


def test_the_files_hold_the_values_that_the_code_names() -> None:
    pro = workflow("pro")
    assert value(pro, "Stage 1 guider", "cfg") == GUIDANCE_SCALE
    assert value(pro, "Negative prompt", "text") == NEGATIVE_PROMPT
    assert value(pro, "Distilled LoRA", "strength_model") == DISTILLED_LORA_STRENGTH


@BOTH
def test_every_model_that_a_file_names_is_on_the_list(quality: Any) -> None:
    named = {
        v
        for each in workflow(quality).values()
        for v in each["inputs"].values()
        if str(v).endswith(".safetensors")
    }
    assert named <= {file.name for file in manifest().values()}


@BOTH
def test_the_stages_name_nodes_that_the_files_have(quality: Any) -> None:
    assert {title for group in TITLES.values() for title in group} <= titles(workflow(quality))


def test_the_two_recipes_give_the_same_node_the_same_number() -> None:
    fast, pro = workflow("fast"), workflow("pro")
    assert {key: each["_meta"]["title"] for key, each in fast.items()}.items() <= {
        key: each["_meta"]["title"] for key, each in pro.items()
    }.items()
