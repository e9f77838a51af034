"""The engine's graphs give what Lightricks' own code gives, from the same weights, noise and text."""

import json
import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltx2_api.job import JobInput
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.engine import EngineOptions
from ltx2_worker.plan import make_plan
from ltx2_worker.plan.geometry import Size
from ltx2_worker.plan.ways.spliced import spliced
from ltx2_worker.workflow import Output, build, stand_ins
from ltx2_worker.workflow.graph import Prompt
from tests.reference import sources

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
URL = sources.URL
IMAGE = {"image_url": URL}
PRO = {"quality": "pro"}
EDGES: dict[str, Any] = {"type": "canny", "video_url": URL, "preprocessed": True}
CONTROL: dict[str, Any] = IMAGE | {"control": EDGES}


#: Jobs by name; what stands before the colon is the function in compare_*.py that compares it.
JOBS: dict[str, dict[str, Any]] = {
    "fast": {},
    "image:1.0": IMAGE | {"image_strength": 1.0},
    "image:0.5": IMAGE | {"image_strength": 0.5},
    "pro:full": PRO,
    "pro:plain": PRO,
    "pro:own block": PRO,
    "control:full size 1.0": CONTROL,
    "control:full size 0.5": {"control": EDGES | {"strength": 0.5}} | IMAGE,
    "control:half size 1.0": CONTROL,
    "control:half size 0.5": {"control": EDGES | {"strength": 0.5}} | IMAGE,
    "control:guided half size 1.0": CONTROL | PRO,
    "keyframes:1.0": IMAGE | {"end_image_url": URL},
    "keyframes:0.5": IMAGE | {"end_image_url": URL, "end_image_strength": 0.5},
    "sound": {"audio_url": URL, "audio": True},
    "detailer": {"detailer": True},
    "temporal": {"temporal_upscaler": True},
    "restyle:0.6": {"restyle": {"video_url": URL, "strength": 0.6}, "audio": True},
    **{name: job.raw for name, job in sources.JOBS.items()},
}
#: Of the families but the first: what differs in them.
OTHER_JOBS: dict[str, dict[str, Any]] = {
    "image:its own strengths": IMAGE,
    "pro:full": PRO,
    "pro:own block": PRO,
    "keyframes:its own strengths": IMAGE | {"end_image_url": URL},
    **{name: JOBS[name] for name in ("sound", "retake:two stages", "retake:one stage guided")},
}
FAMILIES = [family.name for family in catalogue().families]
CASES = {FAMILIES[0]: JOBS} | dict.fromkeys(FAMILIES[1:], OTHER_JOBS)


def small(family: str, name: str, raw: dict[str, Any]) -> Prompt:
    """A job's graph, small enough to be computed twice in a second."""
    given = {"prompt": "a cat", "seed": 1, "camera": "none", "audio": False, "model": family}
    job, _ = JobInput.parse(given | raw)
    plan = make_plan(
        job,
        installed=lambda file: file.id != "control_union",
        pro_guidance="plain" if "plain" in name else "full",
    )
    size, frames = Size(256, 128), 25
    if plan.cut:
        plan = spliced(plan, plan.cut(sources.JOBS[name].source), has_sound=True)
        size, frames = Size(*(sources.FULL if plan.spatial_upscaler else sources.FIRST)), plan.base_frames
    plan = replace(
        plan,
        base_frames=frames,
        canvas=size,
        delivered=size,
        steps=4 if plan.quality == "pro" else plan.steps,
    )
    # Of a video so short, the end is somewhere else.
    plan = replace(plan, keyframes=tuple(replace(each, frame=23) for each in plan.keyframes))
    return build(plan, stand_ins(plan), Output(18.0, prefix="job/video")).prompt


@pytest.fixture(scope="module")
def compared(engine_options: EngineOptions, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Everything that was compared, by family; one process of the engine's Python does it all."""
    prompts = {
        family: {name: small(family, name, raw) for name, raw in jobs.items()}
        for family, jobs in CASES.items()
    }
    done = subprocess.run(
        [
            *(engine_options.python, "-m", "tests.reference.compare"),
            *(engine_options.comfyui_dir, tmp_path_factory.mktemp("models"), engine_options.models_dirs[0]),
        ],
        cwd=ROOT,
        input=json.dumps(prompts),
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def differing(rows: list[dict[str, Any]], wanted: Callable[[str], bool]) -> list[str]:
    compared = [row for row in rows if wanted(row["name"])]
    assert compared
    return [
        f"{row['name']}: {row['error']:.1e}"
        for row in compared
        if not row["error"] <= row["limit"] < math.inf
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_models_compute_what_lightricks_models_compute(compared: Any, family: str) -> None:
    others = {name.split(":")[0] for name in JOBS} | {"tiny", "spans"}
    assert not differing(compared[family]["rows"], lambda name: name.split()[0].rstrip(",") not in others)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_project_s_tiny_weights_load_in_both(compared: Any, family: str) -> None:
    assert not differing(compared[family]["rows"], lambda name: name.startswith("tiny weights, "))


@pytest.mark.parametrize(("family", "job"), [(family, job) for family, jobs in CASES.items() for job in jobs])
def test_a_job_is_what_lightricks_pipelines_make(compared: Any, family: str, job: str) -> None:
    rows = compared[family]["rows"]
    assert not differing(rows, lambda name: name.startswith(job.replace(":", " ") + ","))


def test_the_latent_frames_of_a_span_are_those_that_lightricks_mask_says(compared: Any) -> None:
    assert not differing(compared[FAMILIES[0]]["rows"], lambda name: name.startswith("spans, "))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_full_guidance_takes_four_passes_a_step_and_the_plain_one_two(compared: Any, family: str) -> None:
    passes = {"pro:full": 4, "pro:plain": 2, "pro:own block": 4}
    assert compared[family]["counts"] == {
        f"{job.replace(':', ' ')}: passes a step": passes[job] for job in CASES[family] if job in passes
    }
