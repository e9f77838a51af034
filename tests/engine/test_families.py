"""Every further generation of the model, for real on small frames: its options, and jobs of two in turn."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import av
import pytest
from allpairspy import AllPairs

from local.tiny.configuration import published
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Family
from ltx2_worker.catalog.inputs import Feature, Value
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from ltx2_worker.workflow.build import build_prompt_writing
from tests.engine.studio import IMAGE, URL, Made, Studio, scene, single, small_plan

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

Raw = dict[str, Any]

ROOT = Path(__file__).parents[2]
SKETCH = Path(__file__).with_name("sketch")

FIRST, *OTHERS = catalogue().families
EACH = pytest.mark.parametrize("family", OTHERS, ids=lambda family: family.name)
END: Raw = {"end_image_url": URL}
KEYFRAMES: Raw = END | {"keyframes": [{"at": 4, "image_url": URL, "strength": 1.0}]}
VIDEOS: list[Raw] = [{"video_url": URL}, {}, {"video_url": URL, "preprocessed": True}]


def settings(family: Family) -> list[Raw]:
    """Each recipe with as few steps as it takes."""
    recipes = [recipe for recipe in catalogue().recipes if recipe.family is family]
    return [
        {"model": family.name, "quality": recipe.name}
        | ({"steps": recipe.steps.least} if recipe.steps.chosen else {})
        for recipe in recipes
    ]


def has(family: Family, feature: Feature) -> bool:
    return feature in family.features


def media(family: Family) -> list[Raw]:
    """What a job can bring: nothing, an image, and each structure from each kind of video."""
    controls: list[Raw] = [
        IMAGE | {"control": {"type": kind} | video} for kind in family.controls for video in VIDEOS
    ]
    return [{}, IMAGE, IMAGE | {"image_strength": 0.3} | KEYFRAMES, *controls]


def options(family: Family) -> dict[str, Raw]:
    """Each option, by a name for it."""
    kinds: dict[str, Raw] = {
        kind: IMAGE | {"control": {"type": kind, "video_url": URL}} for kind in family.controls
    }
    return kinds | {
        "image": IMAGE,
        "weaker image": IMAGE | {"image_strength": 0.3},
        "end image": END,
        "firmer end image": END | {"end_image_strength": 1.0},
        "camera": {"camera": next(iter(family.cameras))},
        "one stage": {"spatial_upscaler": False},
        "twice the frames": {"temporal_upscaler": True},
    }


@pytest.fixture(scope="module")
def studio(session_engine: Engine) -> Studio:
    session_engine.wait_ready(Deadline(90))
    return Studio(session_engine)


@EACH
def test_every_pair_of_options_gives_the_video_asked_for(studio: Studio, family: Family) -> None:
    cameras: list[Raw] = [{"camera": "none"}, {"camera": next(iter(family.cameras))}]
    switches: list[list[Raw]] = [
        [{feature.value: False}, {feature.value: True}]
        for feature in (Feature.SPATIAL_UPSCALER, Feature.TEMPORAL_UPSCALER, Feature.DETAILER, Feature.AUDIO)
        if has(family, feature)
    ]
    pairs = AllPairs([settings(family), media(family), cameras, *switches])
    jobs = [{key: value for part in parts for key, value in part.items()} for parts in pairs]
    assert len(jobs) >= 2 * len(media(family))
    for job in jobs:
        studio.make(**job)


@EACH
def test_each_option_takes_effect(studio: Studio, family: Family) -> None:
    job = settings(family)[0]
    pictures = {name: studio.make(**job, **option).picture for name, option in options(family).items()}
    pictures["nothing"] = studio.make(**job).picture
    assert len(set(pictures.values())) == len(pictures), pictures


@EACH
def test_each_lora_changes_the_picture(studio: Studio, family: Family) -> None:
    control: Raw = {"control": {"type": next(iter(family.controls)), "video_url": URL, "preprocessed": True}}
    for job in settings(family):
        _, prompt = studio.prompt(IMAGE | job | control)
        whole = studio.run(prompt).picture
        loras = [key for key, node in prompt.items() if node["class_type"] == "LoraLoaderModelOnly"]
        assert loras
        for key in loras:
            inputs = prompt[key]["inputs"] | {"strength_model": 0.0}
            assert studio.run(prompt | {key: prompt[key] | {"inputs": inputs}}).picture != whole


@EACH
def test_its_text_encoder_writes_from_a_prompt_and_a_picture(session_engine: Engine, family: Family) -> None:
    folder = f"written-{family.name}"
    (session_engine.input_dir / folder).mkdir()
    plan = small_plan(settings(family)[0] | IMAGE | {"enhance_prompt": True}, single)
    picture = f"{folder}/picture.png"
    scene(plan.canvas, 0).save(session_engine.input_dir / picture)
    prompt = build_prompt_writing(plan, {Value.IMAGE: (picture,)}, f"{folder}/text").prompt
    (writer,) = (node for node in prompt.values() if node["_meta"]["title"] == "Written prompt")
    writer["inputs"]["max_length"] = 8
    (path,) = session_engine.run(
        prompt,
        ticket=session_engine.take_ticket(),
        job_key=folder,
        deadline=Deadline(300),
        on_event=lambda _: None,
    )
    assert path.read_text(encoding="utf-8")


@EACH
def test_its_sound_has_the_rate_of_its_vocoder(studio: Studio, family: Family) -> None:
    def rate(name: str) -> int:
        vocoder = published(name).checkpoint["vocoder"]
        return int(
            vocoder["bwe"]["output_sampling_rate"] if "bwe" in vocoder else vocoder["output_sample_rate"]
        )

    for each in (FIRST, family):
        made = studio.make(**settings(each)[0])
        with av.open(str(made.path)) as container:
            assert container.streams.audio[0].rate == rate(each.name)


@EACH
def test_jobs_of_two_generations_in_turn_give_what_each_gives_alone(studio: Studio, family: Family) -> None:
    @cache
    def alone(name: str) -> Made:
        return studio.make(**jobs[name])

    jobs = {each.name: settings(each)[0] for each in (FIRST, family)}
    first = {name: alone(name).picture for name in jobs}
    assert len(set(first.values())) == len(first)
    for name in (*jobs, *jobs):
        again = studio.make(**jobs[name])
        assert "Stage 1 sampling" in again.ran
        assert again.picture == first[name]


@EACH
@pytest.mark.parametrize("resident", [True, False])
def test_the_other_generation_s_loaders_are_named_only_where_that_is_wanted(
    studio: Studio, family: Family, resident: bool
) -> None:
    jobs = [settings(each)[0] for each in (FIRST, family)] * 2
    ran = []
    for seed, job in enumerate(jobs):
        _, prompt = studio.prompt(job | {"seed": seed + 300 * resident}, resident=resident)
        ran.append("Checkpoint" in studio.run(prompt).ran)
    assert ran[2:] == [not resident, not resident]


def test_one_worker_does_jobs_of_all_generations_in_turn(tmp_path: Path) -> None:
    jobs: list[Raw] = [settings(each)[0] | {"prompt": "a cat", "preview": True} for each in (FIRST, *OTHERS)]
    by_prompt = next(each for each in OTHERS if not any(m.lora for m in each.cameras.values()))
    moved: Raw = {"model": by_prompt.name, "camera": "jib_up", "dry_run": True, "prompt": "a cat"}
    without: Raw = {"model": by_prompt.name, "detailer": True, "prompt": "a cat"}
    done = subprocess.run(
        [sys.executable, SKETCH / "jobs.py"],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "LTX2_WORK_DIR": str(tmp_path / "work"),
            "LTX2_OUTPUT_DIR": str(tmp_path / "videos"),
        },
        input=json.dumps([*jobs, *jobs, moved, without]),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *made, planned, refused = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"'))
    assert [each["model"] for each in made] == [job["model"] for job in (*jobs, *jobs)]
    for job, each in zip((*jobs, *jobs), made, strict=True):
        recipe = catalogue().recipe(job["model"], job["quality"])
        assert recipe
        assert each["versions"]["checkpoint"] == recipe.files("fp8", lambda _: True)["checkpoint"].name
        assert each["frames"] == 24
    assert planned["offers"] == [each.name for each in catalogue().families]
    assert any("jib" in warning for warning in planned["warnings"])
    assert (refused["code"], refused["field"]) == ("invalid_input", "detailer")
    assert "weights of one model are kept" in done.stderr
