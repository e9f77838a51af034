"""A camera by a LoRA, or by a sentence of the prompt; and what a caller is told where there is neither."""

from typing import Any

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.plan import Plan, make_plan
from ltx2_worker.plan.plan import with_sentence
from ltx2_worker.workflow import Output, build, stand_ins

BY_PROMPT = next(
    family for family in catalogue().families if not any(m.lora for m in family.cameras.values())
)
BY_LORA = next(family for family in catalogue().families if any(m.lora for m in family.cameras.values()))


def plan_of(**raw: Any) -> Plan:
    return make_plan(JobInput.parse({"prompt": "A cat.", "seed": 5} | raw)[0], installed=lambda _: True)


def prompt_of(plan: Plan) -> object:
    nodes = build(plan, stand_ins(plan), Output(18.0)).prompt.values()
    (text,) = (node["inputs"]["text"] for node in nodes if node["_meta"]["title"] == "Prompt")
    return text


@pytest.mark.parametrize("camera", BY_PROMPT.cameras)
def test_without_a_lora_the_sentence_is_at_the_prompt_s_end_and_the_caller_is_told(camera: str) -> None:
    plan = plan_of(model=BY_PROMPT.name, camera=camera)
    assert plan.camera is None
    assert prompt_of(plan) == f"A cat. {BY_PROMPT.cameras[camera].sentence}"
    (remark,) = plan.remarks
    assert plan.sentence in remark


def test_no_sentence_is_added_that_the_job_does_not_ask_for() -> None:
    for camera in ({}, {"camera": "none"}):
        plan = plan_of(model=BY_PROMPT.name, **camera)
        assert (prompt_of(plan), plan.remarks) == ("A cat.", ())


def test_a_family_with_loras_has_no_sentences() -> None:
    plan = plan_of(model=BY_LORA.name, camera="jib_up")
    assert plan.camera is not None
    assert (prompt_of(plan), plan.remarks) == ("A cat.", ())


@pytest.mark.parametrize(
    ("prompt", "joined"),
    [
        ("A cat", "A cat. It stands."),
        ("A cat! ", "A cat! It stands."),
        ('She says "hello."', 'She says "hello." It stands.'),
    ],
)
def test_the_sentence_begins_after_the_prompt_s_last_one(prompt: str, joined: str) -> None:
    assert with_sentence(prompt, "It stands.") == joined
    assert with_sentence(prompt, "") == prompt


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        ({"camera": "jib_up", "camera_strength": 0.5}, "camera_strength", "has no camera LoRAs"),
        ({"camera_strength": 0.5}, "camera_strength", "has no camera LoRAs"),
        ({"detailer": True}, "detailer", "or for model ltx-2, which has it"),
    ],
)
def test_what_a_family_has_nothing_for_is_refused_with_what_to_do_instead(
    raw: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(WorkerError) as refused:
        plan_of(model=BY_PROMPT.name, **raw)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_INPUT, field)
    assert said in refused.value.message
