"""The combinations of the options, as graphs, judged by the real engine's node definitions.

By default every pair of options meets in some job; `-m slow` takes every legal job there is.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import pytest
from allpairspy import AllPairs

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_api.names import Camera, ControlType
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Family, Recipe
from ltx2_worker.catalog.files import ModelFile, manifest
from ltx2_worker.catalog.inputs import Feature
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from ltx2_worker.plan import Plan, make_plan
from ltx2_worker.workflow import Media, Output, build, needs
from ltx2_worker.workflow.graph import NODE_KINDS, Prompt
from tests.engine.definitions import Definitions
from tools.node_kinds import node_kinds as kinds_of

pytestmark = pytest.mark.engine

Raw = dict[str, Any]

URL = "https://example.org/file"
IMAGE: Raw = {"image_url": URL}
SIZES: list[Raw] = [
    {"preview": True},
    *(
        {"resolution": resolution, "duration": duration}
        for resolution in ("720p", "1080p")
        for duration in (10, 15, 20)
    ),
]
CAMERAS: list[Raw] = [{"camera": camera} for camera in get_args(Camera)]
CONTROLS: list[Raw] = [
    IMAGE | {"control": {"type": kind} | video}
    for kind in get_args(ControlType)
    for video in ({}, {"video_url": URL}, {"video_url": URL, "preprocessed": True})
]
MEDIA: list[Raw] = [{}, IMAGE, *CONTROLS]
FILES = {file.name: file for file in manifest().values()}
SWITCHES = ("spatial_upscaler", "temporal_upscaler", "detailer", "audio")
FAMILIES = catalogue().families
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
EACH_RECIPE = pytest.mark.parametrize(
    "recipe", catalogue().recipes, ids=lambda recipe: f"{recipe.family.name} {recipe.name}"
)


def recipes(family: Family) -> list[Raw]:
    return [
        {"model": family.name, "quality": each.name} for each in catalogue().recipes if each.family is family
    ]


def precisions(family: Family) -> list[Raw]:
    return [{"precision": name} for name in family.precisions]


def switches_of(family: Family) -> tuple[str, ...]:
    return tuple(name for name in SWITCHES if Feature(name) in family.features)


def switched(family: Family) -> list[list[Raw]]:
    return [[{name: on} for on in (False, True)] for name in switches_of(family)]


@pytest.fixture(scope="module")
def definitions(session_engine: Engine) -> Definitions:
    deadline = Deadline(90)
    session_engine.wait_ready(deadline)
    return Definitions(
        session_engine.object_info(deadline), also_installed=(file.name for file in manifest().values())
    )


def switches(*names: str) -> Iterator[Raw]:
    for values in itertools.product((False, True), repeat=len(names)):
        yield dict(zip(names, values, strict=True))


def job_of(parts: Iterable[Raw]) -> Raw:
    return {"prompt": "a cat", "seed": 2**53 - 1} | {key: v for part in parts for key, v in part.items()}


def combine(*dimensions: list[Raw]) -> Iterator[Raw]:
    """Every combination."""
    return map(job_of, itertools.product(*dimensions))


def pairwise(*dimensions: list[Raw]) -> Iterator[Raw]:
    """As few combinations as hold every pair of values of two dimensions."""
    numbers = AllPairs([range(len(dimension)) for dimension in dimensions])
    for chosen in numbers:
        yield job_of(values[number] for values, number in zip(dimensions, chosen, strict=True))


def plan_of(raw: Raw, *, union: bool = False) -> Plan:
    def installed(file: ModelFile) -> bool:
        return union or file.id != "control_union"

    def without_singles(file: ModelFile) -> bool:
        return not file.id.startswith("control_") or file.id == "control_union"

    return make_plan(JobInput.parse(raw)[0], installed=without_singles if union else installed)


def graph_of(plan: Plan) -> Prompt:
    media = Media(
        image="job/image.png" if plan.mode == "i2v" else None,
        control="job/control.mp4" if plan.control else None,
    )
    return build(plan, media, Output(18.0)).prompt


def files_named(prompt: Prompt) -> set[str]:
    values = (value for node in prompt.values() for value in node["inputs"].values())
    return FILES.keys() & {value for value in values if isinstance(value, str)}


def files_needed(plan: Plan) -> set[str]:
    return {need.file.name for need in needs(plan)}


def judge(definitions: Definitions, raw: Raw, *, union: bool = False) -> Prompt:
    plan = plan_of(raw, union=union)
    prompt = graph_of(plan)
    assert not definitions.faults(prompt), raw
    assert files_named(prompt) == files_needed(plan), raw
    assert all(FILES[name].made_for(plan.family.name) for name in files_named(prompt)), raw
    return prompt


@EACH_FAMILY
def test_every_pair_of_options_becomes_a_graph_that_the_engine_takes(
    definitions: Definitions, family: Family
) -> None:
    jobs = list(pairwise(recipes(family), precisions(family), SIZES, MEDIA, CAMERAS, *switched(family)))
    assert len(jobs) >= len(MEDIA) * len(CAMERAS)
    for raw in jobs:
        judge(definitions, raw)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@EACH_RECIPE
def test_every_legal_job_becomes_a_graph_that_the_engine_takes(
    definitions: Definitions, recipe: Recipe
) -> None:
    job: Raw = {"model": recipe.family.name, "quality": recipe.name}
    names = switches_of(recipe.family)
    jobs = 0
    for raw in combine([job], precisions(recipe.family), SIZES, MEDIA, CAMERAS, list(switches(*names))):
        judge(definitions, raw)
        jobs += 1
    assert jobs == len(recipe.family.precisions) * len(SIZES) * len(MEDIA) * len(CAMERAS) * 2 ** len(names)


@EACH_FAMILY
def test_the_union_control_lora_can_stand_in_everywhere(definitions: Definitions, family: Family) -> None:
    for raw in pairwise(recipes(family), SIZES, CONTROLS, *switched(family)):
        prompt = judge(definitions, raw, union=True)
        latent = next(n["inputs"] for n in prompt.values() if n["class_type"] == "EmptyLTXVLatentVideo")
        assert latent["width"] // 32 % 2 == latent["height"] // 32 % 2 == 0, raw


@EACH_FAMILY
@pytest.mark.parametrize("steps", range(20, 41))
def test_every_number_of_steps_is_taken(definitions: Definitions, family: Family, steps: int) -> None:
    plan = plan_of({"prompt": "a cat", "model": family.name, "quality": "pro", "steps": steps})
    prompt = graph_of(plan)
    assert not definitions.faults(prompt)
    (scheduler,) = (node for node in prompt.values() if node["class_type"] == "LTXVScheduler")
    assert scheduler["inputs"]["steps"] == steps


FORBIDDEN: list[tuple[str, list[Raw]]] = [
    (
        "steps",
        [
            {"quality": "fast", "steps": 20},
            {"steps": 40},
            *({"quality": "pro", "steps": s} for s in (19, 41)),
        ],
    ),
    ("image_url", [{"mode": "i2v"}]),
    ("mode", [{"mode": "t2v"} | IMAGE]),
    ("image_base64", [IMAGE | {"image_base64": "QUJD"}]),
    ("image_strength", [{"image_strength": 0.5}, IMAGE | {"image_strength": 1.1}]),
    ("camera_strength", [{"camera": "none", "camera_strength": 1.0}, {"camera_strength": 1.6}]),
    (
        "control",
        [
            {key: v for key, v in control.items() if key == "control"}
            for control in CONTROLS
            if control["control"].get("preprocessed") is None
        ],
    ),
    (
        "control.preprocessed",
        [IMAGE | {"control": {"type": kind, "preprocessed": True}} for kind in get_args(ControlType)],
    ),
    (
        "control.video_base64",
        [IMAGE | {"control": {"type": "canny", "video_url": URL, "video_base64": "QUJD"}}],
    ),
    ("seed", [{"seed": -1}, {"seed": 2**53}]),
]


@pytest.mark.parametrize(("field", "wrong"), FORBIDDEN, ids=[field for field, _ in FORBIDDEN])
def test_a_forbidden_combination_is_refused_whatever_else_the_job_asks_for(
    field: str, wrong: list[Raw]
) -> None:
    others = list(switches(*SWITCHES))
    for fault, size, other in itertools.product(wrong, SIZES, others):
        with pytest.raises(WorkerError) as refused:
            JobInput.parse({"prompt": "a cat"} | size | other | fault)
        assert refused.value.code is ErrorCode.INVALID_INPUT
        assert field in {each.field for each in refused.value.faults}, fault


@EACH_RECIPE
def test_the_workflow_files_as_they_are_fit_the_engine(definitions: Definitions, recipe: Recipe) -> None:
    prompt = dict(recipe.graph)
    spare = {"Depth map", "Pose skeletons"}  # the files are connected to the canny edges
    assert {fault.split(" (")[0] for fault in definitions.faults(prompt)} == spare


def test_the_table_of_kinds_is_the_engine_s(session_engine: Engine) -> None:
    used = {name for recipe in catalogue().recipes for name in recipe.node_classes}
    written = kinds_of(session_engine.object_info(Deadline(90)), used)
    assert written == NODE_KINDS.read_text(), "run: python -m tools.node_kinds"


def broken(prompt: Prompt, class_type: str, **changes: Any) -> Prompt:
    (key,) = (key for key, node in prompt.items() if node["class_type"] == class_type)
    inputs = {name: v for name, v in {**prompt[key]["inputs"], **changes}.items() if v is not None}
    return {**prompt, key: {**prompt[key], "inputs": inputs}}


@pytest.mark.parametrize(
    ("class_type", "changes", "complaint"),
    [
        ("EmptyLTXVLatentVideo", {"width": 650}, "not a step of 32"),
        ("EmptyLTXVLatentVideo", {"width": 32}, "not within"),
        ("EmptyLTXVLatentVideo", {"width": 640.0}, "takes INT"),
        ("EmptyLTXVLatentVideo", {"width": None}, "width is required"),
        ("EmptyLTXVLatentVideo", {"widht": 640}, "no input widht"),
        ("CheckpointLoaderSimple", {"ckpt_name": "x.safetensors"}, "not one of"),
        ("LTX2DecodeToMP4", {"samples": ["1", 0]}, "is connected to MODEL"),
        ("LTX2DecodeToMP4", {"samples": ["99", 0]}, "a node that is not there"),
        ("LTX2DecodeToMP4", {"audio": None}, "nothing needs it"),
    ],
)
def test_the_judge_sees_what_is_wrong(
    definitions: Definitions, class_type: str, changes: Raw, complaint: str
) -> None:
    prompt = graph_of(plan_of(IMAGE | {"prompt": "a cat", "control": {"type": "depth", "video_url": URL}}))
    assert any(complaint in fault for fault in definitions.faults(broken(prompt, class_type, **changes)))


def test_the_judge_knows_which_inputs_a_chosen_value_brings(definitions: Definitions) -> None:
    inputs = {"filename_prefix": "x", "format": "mp4", "codec": "auto", "codec.encoding": "re-encode"}
    prompt = {"1": {"class_type": "SaveVideo", "inputs": inputs, "_meta": {"title": "Saved"}}}
    assert "Saved (1): there is no input codec.encoding" in definitions.faults(prompt)
    inputs["codec"] = "h264"
    assert "Saved (1): there is no input codec.encoding" not in definitions.faults(prompt)
