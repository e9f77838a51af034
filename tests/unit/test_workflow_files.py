"""The workflow files and the code that fills them in name the same things."""

from dataclasses import asdict
from typing import Any

import pytest

from local.ltx2_config import TRANSFORMER
from ltx2_worker.catalog.files import manifest
from ltx2_worker.plan.estimate import DETAILER_OVERLAP, DETAILER_WINDOW
from ltx2_worker.plan.guidance import FULL
from ltx2_worker.workflow.build import (
    DISTILLED_LORA_STRENGTH,
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
    for name, scale in asdict(FULL).items():
        assert value(pro, "Stage 1 guider", name) == scale
    assert value(pro, "Negative prompt", "text") == NEGATIVE_PROMPT
    assert value(pro, "Distilled LoRA", "strength_model") == DISTILLED_LORA_STRENGTH


@BOTH
def test_the_detailer_s_windows_are_those_that_its_time_is_estimated_by(quality: Any) -> None:
    sizes = [value(workflow(quality), "Detailer sampling", name) for name in ("window", "overlap")]
    assert sizes == [DETAILER_WINDOW, DETAILER_OVERLAP]


def test_the_block_that_guidance_perturbs_is_one_that_the_model_has() -> None:
    block = value(workflow("pro"), "Stage 1 guider", "stg_block")
    assert isinstance(block, int)
    assert 0 <= block < TRANSFORMER["num_layers"]


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
