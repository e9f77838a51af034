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
from ltx2_api.names import Camera, ControlType, Precision, Quality
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Family, Recipe
from ltx2_worker.catalog.files import ModelFile, manifest
from ltx2_worker.catalog.inputs import Feature
from ltx2_worker.catalog.own_loras import OwnLora
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from ltx2_worker.plan import Plan, make_plan
from ltx2_worker.workflow import Output, build, needs, stand_ins
from ltx2_worker.workflow.build import build_prompt_writing
from ltx2_worker.workflow.graph import NODE_KINDS, Prompt
from tests.engine.definitions import Definitions
from tests.ways import JOBS
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
#: The operator's, as docs/ways.md names it; a file of each family that the tiny weights have.
OWN_LORAS = {
    family: {"ink": OwnLora("ink", f"{file}.safetensors", family, "Ink.", 0.8, 1)}
    for family, file in {
        "ltx-2": "ltx-2-19b-lora-camera-control-jib-up",
        "ltx-2.3": "ltx_2.3_22b_distilled_1.1_lora_dynamic_fro09_avg_rank_111_bf16",
    }.items()
}
FAMILIES = catalogue().families
FIRST = FAMILIES[0].name
EACH = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
FILES = {file.name: file for file in manifest().values()}
SWITCHES = ("spatial_upscaler", "temporal_upscaler", "detailer", "audio")
SWITCHED: list[list[Raw]] = [[{name: on} for on in (False, True)] for name in SWITCHES]
QUALITIES: list[Raw] = [{"quality": name} for name in get_args(Quality)]
PRECISIONS: list[Raw] = [{"precision": name} for name in get_args(Precision)]


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

    job, _ = JobInput.parse(raw)
    own = OWN_LORAS[job.model or FIRST]
    return make_plan(job, installed=without_singles if union else installed, own_loras=own)


def graph_of(plan: Plan) -> Prompt:
    return build(plan, stand_ins(plan), Output(18.0)).prompt


def files_named(prompt: Prompt) -> set[str]:
    values = (value for node in prompt.values() for value in node["inputs"].values())
    return FILES.keys() & {value for value in values if isinstance(value, str)}


def files_needed(plan: Plan) -> set[str]:
    return {need.file.name for need in needs(plan)}


def judge(definitions: Definitions, raw: Raw, *, union: bool = False) -> Prompt:
    plan = plan_of(raw, union=union)
    prompt = graph_of(plan)
    assert not definitions.faults(prompt), raw
    own = {chosen.lora.file for chosen in plan.loras}
    assert files_named(prompt) | own == files_needed(plan) | own, raw
    return prompt


def test_every_pair_of_options_becomes_a_graph_that_the_engine_takes(definitions: Definitions) -> None:
    jobs = list(pairwise(QUALITIES, PRECISIONS, SIZES, MEDIA, CAMERAS, *SWITCHED))
    assert len(jobs) >= len(MEDIA) * len(CAMERAS)
    for raw in jobs:
        judge(definitions, raw)


def with_ways(family: Family) -> list[list[Raw]]:
    """A way, another one or none, and the options."""
    ways: list[Raw] = list(JOBS.values())
    model: list[Raw] = [{"model": family.name}]
    media = [{}, IMAGE, *CONTROLS[::4]]
    switched = [values for name, values in zip(SWITCHES, SWITCHED, strict=True) if name in family.features]
    return [model, ways, [{}, *ways], QUALITIES, SIZES[::3], media, CAMERAS[:2], *switched]


@EACH
def test_every_way_meets_every_option_and_is_refused_or_becomes_a_graph_that_the_engine_takes(
    definitions: Definitions, family: Family
) -> None:
    built = refused = 0
    for raw in pairwise(*with_ways(family)):
        try:
            JobInput.parse(raw)
        except WorkerError as error:
            assert error.code is ErrorCode.INVALID_INPUT
            refused += 1
            continue
        prompt = judge(definitions, raw)
        assert all(FILES[name].made_for(family.name) for name in files_named(prompt)), raw
        built += 1
    assert built > len(JOBS)
    assert refused > len(JOBS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@EACH
@pytest.mark.parametrize("way", JOBS)
def test_every_way_with_all_options_is_refused_by_its_rules_or_becomes_a_graph_that_the_engine_takes(
    definitions: Definitions, family: Family, way: str
) -> None:
    model, _, others, *options = with_ways(family)
    built = 0
    for raw in combine(model, [JOBS[way]], others, *options):
        try:
            JobInput.parse(raw)
        except WorkerError as error:
            assert error.code is ErrorCode.INVALID_INPUT
            continue
        judge(definitions, raw)
        built += 1
    assert built


@EACH
def test_the_graph_that_writes_a_prompt_is_one_that_the_engine_takes(
    definitions: Definitions, family: Family
) -> None:
    for image in ({}, IMAGE):
        for quality in QUALITIES:
            plan = plan_of(job_of([quality, image, {"enhance_prompt": True, "model": family.name}]))
            writing = {"Text encoder", "Start image", "Written prompt", "Prompt file"}
            prompt = build_prompt_writing(plan, stand_ins(plan), "job/prompt").prompt
            own = {key: node for key, node in prompt.items() if node["_meta"]["title"] in writing}
            assert not definitions.faults(
                {key: n for key, n in own.items() if not key.startswith("resident")}
            )


@pytest.mark.parametrize("family", FAMILIES[1:], ids=lambda family: family.name)
def test_every_pair_of_options_of_another_family_becomes_a_graph_of_its_own_files(
    definitions: Definitions, family: Family
) -> None:
    recipes: list[Raw] = [
        {"model": family.name, "quality": each.name} for each in catalogue().recipes if each.family is family
    ]
    precisions: list[Raw] = [{"precision": name} for name in family.precisions]
    switched: list[list[Raw]] = [
        [{name: on} for on in (False, True)] for name in SWITCHES if Feature(name) in family.features
    ]
    for raw in pairwise(recipes, precisions, SIZES, MEDIA, CAMERAS, *switched):
        prompt = judge(definitions, raw)
        assert all(FILES[name].made_for(family.name) for name in files_named(prompt)), raw


@pytest.mark.slow
@pytest.mark.timeout(1800)
@EACH
@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda raw: raw["precision"])
@pytest.mark.parametrize("quality", QUALITIES, ids=lambda raw: raw["quality"])
def test_every_legal_job_becomes_a_graph_that_the_engine_takes(
    definitions: Definitions, quality: Raw, precision: Raw, family: Family
) -> None:
    names = [name for name in SWITCHES if name in family.features]
    model: list[Raw] = [{"model": family.name}]
    jobs = 0
    for raw in combine(model, [quality], [precision], SIZES, MEDIA, CAMERAS, list(switches(*names))):
        judge(definitions, raw)
        jobs += 1
    assert jobs == len(SIZES) * len(MEDIA) * len(CAMERAS) * 2 ** len(names)


def test_the_union_control_lora_can_stand_in_everywhere(definitions: Definitions) -> None:
    for raw in pairwise(QUALITIES, SIZES, CONTROLS, *SWITCHED):
        prompt = judge(definitions, raw, union=True)
        latent = next(n["inputs"] for n in prompt.values() if n["class_type"] == "EmptyLTXVLatentVideo")
        assert latent["width"] // 32 % 2 == latent["height"] // 32 % 2 == 0, raw


@pytest.mark.parametrize("steps", range(20, 41))
def test_every_number_of_steps_is_taken(definitions: Definitions, steps: int) -> None:
    plan = plan_of({"prompt": "a cat", "quality": "pro", "steps": steps})
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
    for fault, size, other in itertools.product(wrong, SIZES[::3], others):
        with pytest.raises(WorkerError) as refused:
            JobInput.parse({"prompt": "a cat"} | size | other | fault)
        assert refused.value.code is ErrorCode.INVALID_INPUT
        assert field in {each.field for each in refused.value.faults}, fault


@pytest.mark.parametrize(
    "recipe", catalogue().recipes, ids=lambda recipe: f"{recipe.family.name} {recipe.name}"
)
def test_the_workflow_files_as_they_are_fit_the_engine(definitions: Definitions, recipe: Recipe) -> None:
    prompt = dict(recipe.graph)
    # The files are connected to the canny edges; and an own LoRA is the operator's, where a family takes one.
    titles = {node["_meta"]["title"] for node in prompt.values()}
    spare = titles & {"Depth map", "Pose skeletons", "Own LoRA"}
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
