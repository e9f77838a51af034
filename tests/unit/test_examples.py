"""The examples are jobs that the worker accepts, and together they show every option."""

import json
from pathlib import Path

import pytest

from ltx2_api.job import JobInput
from ltx2_worker.plan import make_plan
from tools.reference import ROOT

EXAMPLES = [ROOT / "test_input.json", *sorted((ROOT / "examples").glob("*.json"))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_without_a_warning(path: Path) -> None:
    job, warnings = JobInput.parse(json.loads(path.read_text(encoding="utf-8"))["input"])
    assert warnings == ()
    assert make_plan(job, installed=lambda _: True).frames > 0


def test_the_examples_show_every_type_of_control_and_both_recipes() -> None:
    jobs = [JobInput.parse(json.loads(path.read_text(encoding="utf-8"))["input"])[0] for path in EXAMPLES]
    assert {job.control.type for job in jobs if job.control} == {"canny", "depth", "pose"}
    assert {job.quality for job in jobs} == {"fast", "pro"}
    assert any(job.temporal_upscaler for job in jobs)
    assert any(job.detailer for job in jobs)
