"""The schemas say of a job, of its progress and of its end what really comes in and goes out."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ltx2_api.errors import RETRYABLE, ErrorCode, Fault, WorkerError
from ltx2_api.job import IGNORED_FIELDS, JobInput
from ltx2_api.prices import CREDITS, credits_for
from ltx2_api.progress import Progress, Stage
from ltx2_api.reply import DryRunResult, FailureResult, PlannedFile, VideoResult
from tools.reference import ROOT
from tools.schemas import input_schema, output_schema, price_list, progress_schema, status_schema

INPUT = Draft202012Validator(input_schema())

VIDEO = VideoResult(
    job_id="a", width=1280, height=720, fps=24.0, frames=240, duration=10.0, audio=True, mode="t2v",
    quality="fast", preview=False, seed=7, credits=30, timings={"sampling": 9.1}, versions={"worker": "1"},
    url="https://bucket.example/a.mp4", bytes=1, sha256="00",
)  # fmt: skip
DRY_RUN = DryRunResult(
    job_id="a", offers=("ltx-2",), mode="t2v", model="ltx-2", quality="fast", preview=False, width=1280,
    height=720, canvas="1280x768", fps=24,
    frames=240, generated_frames=241, duration=10, steps=8, audio=True, seed=7, credits=30,
    files=(PlannedFile(name="x", bytes=1, installed=True),), expected_seconds=30, deadline_seconds=600,
)  # fmt: skip
FAILURE = FailureResult.of(
    WorkerError(ErrorCode.INVALID_INPUT, "No.", field="seed", faults=(Fault("seed", "No."),)), "a"
)

#: Values around the edges of each field's range, right and wrong.
NUMBERS = st.sampled_from([-1, 0, 0.5, 1, 1.0, 1.5, 2, 19, 20, 30.0, 40, 41, 2**53, True, "1", None])
URLS = st.sampled_from(["https://example.com/a.png", "s3://bucket/a.png", "ftp://e.com/a", "", 1, None])
TEXTS = st.sampled_from(["aGVsbG8=", "", 1, None])
SWITCHES = st.sampled_from([True, False, None, 0, "true"])
CONTROL = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["depth", "canny", "pose", "edges", None]),
        "video_url": URLS,
        "video_base64": TEXTS,
        "strength": NUMBERS,
        "preprocessed": SWITCHES,
        "nope": st.just(1),
    },
)
VIDEO_PART = {"video_url": st.sampled_from(["https://e.com/a.mp4", "a.mp4", None]), "video_base64": TEXTS}
SECONDS = st.sampled_from([1, 2.5, 18, 19, 0, None, "1"])
#: What is not in the schema: that a span ends behind its beginning, and how far keyframes are apart.
SPAN = {"from": st.sampled_from([0, 2, -1, None]), "to": st.sampled_from([3, 5.5, 3601])}
WAYS: dict[str, st.SearchStrategy[Any]] = {
    "extend": st.fixed_dictionaries(
        {}, optional={**VIDEO_PART, "seconds": SECONDS, "from": st.sampled_from(["end", "middle"])}
    ),
    "retake": st.fixed_dictionaries(
        SPAN, optional={**VIDEO_PART, "what": st.sampled_from(["both", "video", "sound"])}
    ),
    "restyle": st.fixed_dictionaries({}, optional={**VIDEO_PART, "strength": NUMBERS}),
    "keyframes": st.lists(
        st.fixed_dictionaries({"at": st.sampled_from([1, 5.5, 21])}, optional={"image_url": URLS}), max_size=1
    ),
    "loras": st.lists(
        st.fixed_dictionaries({}, optional={"name": st.sampled_from(["ink", "Ink"]), "strength": NUMBERS}),
        max_size=4,
        unique_by=lambda lora: str(lora.get("name")),
    ),
    "end_image_url": URLS,
    "end_image_strength": NUMBERS,
    "audio_url": URLS,
    "audio_start": SECONDS,
    "enhance_prompt": SWITCHES,
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(["t2v", "i2v", "v2v", None]),
    "prompt": st.sampled_from(["A calm sea.", " ", "", "x" * 4001, None, 1]),
    "quality": st.sampled_from(["fast", "pro", "best", None]),
    "model": st.sampled_from(["ltx-2", "ltx-1", None, 2]),
    "precision": st.sampled_from(["fp8", "full", "fp4", None]),
    "resolution": st.sampled_from(["720p", "1080p", "4k", None]),
    "duration": st.sampled_from([10, 15, 20, 10.0, 11, 0, 21, 1.5, "10", None, True]),
    "aspect": st.sampled_from(["16:9", "9:16", "4:3", None, 1]),
    "camera": st.sampled_from(["static", "none", "jib_up", "pan", None]),
    "request_id": st.sampled_from(["order-7", "", " ", "x" * 65, "a/b", "é", None, 1]),
    "control": st.one_of(CONTROL, st.sampled_from([None, "canny"])),
    "nope": st.just(1),
    **dict.fromkeys(["camera_strength", "image_strength", "steps", "seed", "max_credits"], NUMBERS),
    **dict.fromkeys(["spatial_upscaler", "detailer", "audio", "preview", "dry_run"], SWITCHES),
    **dict.fromkeys(["image_url"], URLS),
    **dict.fromkeys(["image_base64"], TEXTS),
    **dict.fromkeys(IGNORED_FIELDS, st.just("anything")),
    **WAYS,
}


def accepted(job: dict[str, Any]) -> bool:
    try:
        JobInput.parse(job)
    except WorkerError:
        return False
    return True


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A prompt, mostly, and a few fields: with more, hardly any job would be right."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=5, unique=True))
    return {"prompt": "A calm sea."} | {name: draw(VALUES[name]) for name in names}


@settings(max_examples=1500, deadline=None)
@given(jobs())
def test_the_input_schema_accepts_what_the_worker_accepts_and_nothing_else(job: dict[str, Any]) -> None:
    assert INPUT.is_valid(job) == accepted(job)


@pytest.mark.parametrize(
    "job",
    [
        {"mode": "i2v"},
        {"mode": "t2v", "image_url": "https://example.com/a.png"},
        {"image_url": "https://example.com/a.png", "image_base64": "aGVsbG8="},
        {"image_strength": 0.5},
        {"steps": 30},
        {"steps": 30, "quality": "fast"},
        {"camera": "none", "camera_strength": 1.0},
        {"control": {"type": "canny"}},
        {"image_base64": "aGVsbG8=", "control": {"type": "canny", "preprocessed": True}},
        {"image_url": "ftp://example.com/a.png"},
    ],
    ids=json.dumps,
)
def test_the_input_schema_knows_the_rules_between_fields(job: dict[str, Any]) -> None:
    assert not INPUT.is_valid({"prompt": "A calm sea."} | job)


@pytest.mark.parametrize("outcome", [VIDEO, DRY_RUN, FAILURE], ids=lambda outcome: type(outcome).__name__)
def test_the_output_schema_fits_what_runpod_hands_on(
    outcome: VideoResult | DryRunResult | FailureResult,
) -> None:
    output = outcome.model_dump(mode="json", exclude_none=True)
    error = output.pop("error", None)
    Draft202012Validator(output_schema()).validate(output)
    status = {"id": "a", "status": "FAILED" if error else "COMPLETED", "output": output, "executionTime": 1}
    Draft202012Validator(status_schema()).validate(status | ({"error": error} if error else {}))


def test_the_status_schema_tells_a_result_from_a_failure() -> None:
    failure = FAILURE.model_dump(mode="json", exclude={"error"})
    assert not Draft202012Validator(status_schema()).is_valid(
        {"id": "a", "status": "COMPLETED", "output": failure}
    )


@pytest.mark.parametrize(
    "progress",
    [
        Progress(3, Stage.WAITING, None, None, 31),
        Progress(99, Stage.SAMPLING, 5, 8, 0, picture=b"\xff\xd8"),
    ],
    ids=["waiting", "sampling"],
)
def test_the_progress_schema_fits_what_is_posted(progress: Progress) -> None:
    Draft202012Validator(progress_schema()).validate(progress.as_json())
    status = {"id": "a", "status": "IN_PROGRESS", "output": progress.as_json()}
    Draft202012Validator(status_schema()).validate(status)


def examples(page: str) -> list[dict[str, Any]]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def test_the_examples_of_failures_are_what_arrives() -> None:
    refused, _ = statuses = examples("errors.md")
    for status in statuses:
        Draft202012Validator(status_schema()).validate(status)
        assert status["output"]["retryable"] == (status["output"]["code"] in RETRYABLE)
    with pytest.raises(WorkerError) as raised:
        JobInput.parse({"prompt": "A calm sea.", "steps": 30, "seed": -1})
    reply = FailureResult.of(raised.value, refused["id"]).model_dump(mode="json", exclude_none=True)
    assert reply == refused["output"] | {"error": refused["error"]}


def test_the_examples_of_progress_and_reply_fit_their_schemas() -> None:
    progress, reply = examples("api.md")
    Draft202012Validator(progress_schema()).validate(progress)
    Draft202012Validator(output_schema()).validate(reply)


def test_the_price_list_states_every_price() -> None:
    prices = price_list()["prices"]
    assert len(prices) == sum(len(row) for row in CREDITS.values()) == 12
    for row in prices:
        assert credits_for(row["quality"], row["resolution"], row["duration"]) == row["credits"]


@pytest.mark.parametrize("name", ["input.json", "output.json", "progress.json", "status.json"])
def test_a_schema_is_one_and_has_an_id_with_a_version(name: str) -> None:
    schema = json.loads((ROOT / "schema" / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:ltx2-worker:0.1.0:{name.removesuffix('.json')}"
