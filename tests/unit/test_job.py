"""What a caller may send: accepted, refused with a sentence, never anything else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.fields import ControlInput
from ltx2_api.job import JobInput

IMAGE = {"image_url": "https://example.com/cat.png"}


def faults_of(raw: object) -> dict[str, str]:
    with pytest.raises(WorkerError) as caught:
        JobInput.parse(raw)
    assert caught.value.code is ErrorCode.INVALID_INPUT
    assert not caught.value.retryable
    return {fault.field: fault.message for fault in caught.value.faults}


def test_a_prompt_alone_is_a_job_with_the_documented_defaults() -> None:
    job, warnings = JobInput.parse({"prompt": "a cat"})
    assert warnings == ()
    assert job.effective_mode == "t2v"
    assert (job.quality, job.resolution, job.duration, job.precision) == ("fast", "720p", 10, "fp8")
    assert (job.spatial_upscaler, job.temporal_upscaler, job.detailer, job.audio) == (
        True,
        False,
        False,
        True,
    )


def test_an_image_makes_it_image_to_video() -> None:
    assert JobInput.parse({"prompt": "a cat", **IMAGE})[0].effective_mode == "i2v"


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        ({}, "prompt", "required"),
        ({"prompt": "   "}, "prompt", "white space"),
        ({"prompt": "a" * 4001}, "prompt", "4000"),
        ({"prompt": "\ud800"}, "prompt", "unicode"),
        ({"prompt": 5}, "prompt", "string"),
        ({"prompt": "a", "duration": 21}, "duration", "1 to 20"),
        ({"prompt": "a", "duration": "10"}, "duration", "integer"),
        ({"prompt": "a", "duration": True}, "duration", "integer"),
        ({"prompt": "a", "resolution": "4k"}, "resolution", "'720p' or '1080p'"),
        ({"prompt": "a", "quality": "pro", "steps": 19}, "steps", "20"),
        ({"prompt": "a", "quality": "pro", "steps": 30.5}, "steps", "integer"),
        ({"prompt": "a", "camera_strength": 1.6}, "camera_strength", "1.5"),
        ({"prompt": "a", "camera_strength": float("nan")}, "camera_strength", "finite"),
        ({"prompt": "a", "seed": -1}, "seed", "0"),
        ({"prompt": "a", "seed": 2**53}, "seed", "9007199254740991"),
        ({"prompt": "a", "audio": "yes"}, "audio", "boolean"),
        ({"prompt": "a", "duraton": 10}, "duraton", "did you mean duration?"),
        ({"prompt": "a", "zzz": 10}, "zzz", "allowed are mode, prompt"),
        ({"prompt": "a", "max_credits": -1}, "max_credits", "0"),
        ({"prompt": "a", "steps": 41, "quality": "pro"}, "steps", "20 to 40"),
        ({"prompt": "a", "\ud800": 1}, "?", "not a field"),
        ({"prompt": "a", **IMAGE, "control": "canny"}, "control", "JSON object"),
        ({"prompt": "a", **IMAGE, "control": {}}, "control.type", "required"),
        (
            {"prompt": "a", **IMAGE, "control": {"type": "edges"}},
            "control.type",
            "'depth', 'canny' or 'pose'",
        ),
        (
            {"prompt": "a", **IMAGE, "control": {"type": "canny", "strenght": 1}},
            "control.strenght",
            "strength?",
        ),
    ],
)
def test_a_wrong_value_is_refused_naming_the_field_and_what_is_allowed(
    raw: dict[str, Any], field: str, says: str
) -> None:
    assert says in faults_of(raw)[field]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"mode": "i2v"}, "image_url"),
        ({"mode": "t2v", **IMAGE}, "mode"),
        ({**IMAGE, "image_base64": "AAAA"}, "image_base64"),
        ({"image_strength": 0.5}, "image_strength"),
        ({"steps": 30}, "steps"),
        ({"camera": "none", "camera_strength": 1.0}, "camera_strength"),
        ({"control": {"type": "pose"}}, "control"),
        ({**IMAGE, "control": {"type": "pose", "preprocessed": True}}, "control.preprocessed"),
        (
            {**IMAGE, "control": {"type": "pose", "video_url": "https://e.com/v", "video_base64": "AAAA"}},
            "control.video_base64",
        ),
    ],
)
def test_options_that_exclude_or_need_each_other_are_refused(fields: dict[str, Any], field: str) -> None:
    assert field in faults_of({"prompt": "a", **fields})


def test_all_faults_are_reported_at_once_fields_and_combinations_alike() -> None:
    faults = faults_of({"prompt": "", "duration": 0, "steps": 30, "mode": "i2v", "colour": "red"})
    assert set(faults) == {"prompt", "duration", "steps", "image_url", "colour"}


def test_a_combination_with_a_field_already_refused_is_not_reported_twice() -> None:
    assert set(faults_of({"prompt": "a", "mode": "i2v", "image_url": 5})) == {"image_url"}


def test_a_whole_number_may_be_written_with_a_point() -> None:
    fields = {"quality": "pro", "steps": 30.0, "seed": 7.0, "duration": 15.0, "max_credits": 90.0}
    job, _ = JobInput.parse({"prompt": "a"} | fields)
    whole = (job.steps, job.seed, job.duration, job.max_credits)
    assert [(number, type(number)) for number in whole] == [(30, int), (7, int), (15, int), (90, int)]


def test_a_null_means_the_default() -> None:
    job, _ = JobInput.parse({"prompt": "a", "audio": None, "control": None, "image_strength": None})
    assert job.audio is True


def test_settings_of_other_workers_are_ignored_with_a_warning() -> None:
    _, warnings = JobInput.parse({"prompt": "a", "negative_prompt": "blurry", "cfg": 7.5})
    assert [warning.split()[0] for warning in warnings] == ["negative_prompt", "cfg"]


def test_a_preview_says_that_size_and_duration_have_no_effect_on_it() -> None:
    _, warnings = JobInput.parse({"prompt": "a", "preview": True, "resolution": "1080p", "duration": 20})
    assert len(warnings) == 2


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from([*JobInput.model_fields, *ControlInput.model_fields, "cfg", "Prompt"])


@settings(max_examples=400, deadline=None)
@given(JSON_VALUES | st.dictionaries(FIELDS | st.text(), JSON_VALUES, max_size=8))
def test_no_input_ends_in_anything_but_a_job_or_a_clear_refusal(raw: object) -> None:
    try:
        job, _ = JobInput.parse(raw)
    except WorkerError as error:
        assert error.faults
        assert all(fault.message.endswith((".", "?")) for fault in error.faults)
    else:
        assert job.prompt.strip()
