"""What a caller reads who asks for a way in a form that cannot be made: one sentence, and the field."""

from typing import Any

import pytest

from ltx2_api.errors import WorkerError
from ltx2_api.job import JobInput
from ltx2_api.prices import read_rates
from ltx2_worker.plan import make_plan

VIDEO = {"video_url": "https://example.com/a.mp4"}
PICTURE = "https://example.com/a.png"
SPAN = {"from": 1, "to": 3}
NAMES = "a name of small letters, digits, _ and -, of 64 characters at most"


def told(**raw: Any) -> dict[str, str]:
    """Every field at fault, and its sentence."""
    with pytest.raises(WorkerError) as refused:
        make_plan(JobInput.parse({"prompt": "a"} | raw)[0], installed=lambda _: True)
    error = refused.value
    return {fault.field: fault.message for fault in error.faults} or {str(error.field): error.message}


@pytest.mark.parametrize(
    ("raw", "field", "sentence"),
    [
        ({"loras": []}, "loras", "loras must have 1 to 3 entries."),
        ({"loras": [{"name": str(n)} for n in range(4)]}, "loras", "loras must have 1 to 3 entries."),
        ({"loras": [{"name": "Ink"}]}, "loras.0.name", f"loras.0.name must be {NAMES}."),
        ({"keyframes": [None]}, "keyframes.0", "keyframes.0 must be a JSON object."),
        (
            {"keyframes": [{"at": 21, "image_url": PICTURE}]},
            "keyframes.0.at",
            "keyframes.0.at must be 0 to 20.",
        ),
        (
            {"keyframes": [{"at": n, "image_url": PICTURE} for n in range(1, 10)]},
            "keyframes",
            "keyframes must have 1 to 8 entries.",
        ),
        (
            {"extend": {"video_url": "boat.mp4"}},
            "extend.video_url",
            "extend.video_url must be an http(s) URL, or s3:// in the endpoint's own bucket.",
        ),
        (
            {"extend": VIDEO, "retake": VIDEO | SPAN},
            "retake",
            "retake does not go with extend: a job works on one video.",
        ),
        (
            {"extend": VIDEO, "control": {"type": "canny"}},
            "control",
            "control does not go with extend: a control goes with a video that is made in full.",
        ),
        (
            {"retake": VIDEO | SPAN, "mode": "i2v"},
            "mode",
            "mode i2v does not go with retake: it starts from the video, not from an image.",
        ),
        (
            {"extend": VIDEO, "image_strength": 0.5},
            "image_strength",
            "image_strength does not go with extend: the video itself says how it begins.",
        ),
        (
            {"restyle": VIDEO, "camera_strength": 0.5},
            "camera_strength",
            "camera_strength needs a camera: name one, as a job with a control, or with a video that is "
            "worked on, has no default.",
        ),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_is_allowed(
    raw: dict[str, Any], field: str, sentence: str
) -> None:
    assert told(**raw) == {field: sentence}


def test_a_span_is_not_held_against_a_source_that_is_not_there_yet() -> None:
    job, _ = JobInput.parse({"prompt": "a", "retake": VIDEO | {"from": 3590, "to": 3600}})
    assert make_plan(job, installed=lambda _: True).credits == 30


@pytest.mark.parametrize(
    ("way", "sentences"),
    [
        ({"extend": VIDEO}, []),
        ({"extend": VIDEO | {"seconds": 5}}, ["A preview adds 1 s: extend.seconds has no effect on it."]),
        ({"retake": VIDEO | {"from": 1, "to": 2}}, []),
        (
            {"retake": VIDEO | SPAN, "resolution": "1080p"},
            [
                "A preview is always 448x256: resolution has no effect on it.",
                "A preview makes the first second of the span anew: retake.to has no effect on it.",
            ],
        ),
    ],
)
def test_a_preview_says_what_it_leaves_out(way: dict[str, Any], sentences: list[str]) -> None:
    assert list(JobInput.parse({"prompt": "a", "preview": True} | way)[1]) == sentences
    without_resolution = {name: part for name, part in way.items() if name != "resolution"}
    assert JobInput.parse({"prompt": "a"} | without_resolution)[1] == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[fast]\n720p = 3\n1080p = 4", "no price for pro"),
        ("[fast]\n720p = 3\n[pro]\n720p = 1\n1080p = 2", "no price for 1080p"),
        ("[fast]\n720p = -3\n1080p = 4", "fast.720p: Input should be greater than or equal to 0"),
        ("[fast\n", "Expected ']'"),
    ],
)
def test_a_price_list_that_is_not_whole_is_refused_at_the_start(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"prices\.toml|Expected") as refused:
        read_rates(text)
    assert why in str(refused.value)
