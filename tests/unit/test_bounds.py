"""No input, whatever it holds, makes a large reply or takes long to refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ltx2_api.bounds import MAX_DEPTH, MAX_VALUES, check_bounds
from ltx2_api.errors import MAX_FAULTS, ErrorCode, Fault, WorkerError
from ltx2_api.job import JobInput
from ltx2_api.reply import FailureResult

LARGEST_REPLY = 64 << 10


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"control": value}
    return value


INPUTS = {
    "a flood of fields": {"prompt": "x"} | {f"p{number}": 0 for number in range(250_000)},
    "as many fields as may be": {f"p{number}": 0 for number in range(MAX_VALUES)},
    "a flood in control": {"prompt": "x", "control": {f"p{number}": 0 for number in range(250_000)}},
    "long names": {f"{number}" * 100_000: 0 for number in range(20)},
    "names of emoji": {"\U0001f600" * 1000 + str(number): 0 for number in range(500)},
    "names that are no text": {f"\ud800{number}": 0 for number in range(500)},
    "deep objects": nested(900),
    "deep lists": {"prompt": [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]},
    "a wide list": {"prompt": "x", "camera": [1] * 10_000_000},
    "a long text": {"prompt": "x" * 20_000_000},
}


@pytest.mark.parametrize("raw", INPUTS.values(), ids=INPUTS)
def test_an_input_that_no_job_can_be_is_refused_in_a_small_reply(raw: object) -> None:
    with pytest.raises(WorkerError) as refused:
        JobInput.parse(raw)
    assert refused.value.code is ErrorCode.INVALID_INPUT
    assert not refused.value.retryable
    assert len(refused.value.faults) <= MAX_FAULTS
    reply = FailureResult.of(refused.value, "job").model_dump(mode="json", exclude_none=True)
    assert len(json.dumps(reply)) < LARGEST_REPLY


def test_faults_that_are_not_told_are_counted() -> None:
    with pytest.raises(WorkerError, match="There are 84 more faults") as refused:
        JobInput.parse({"prompt": "x"} | {f"p{number}": 0 for number in range(100)})
    assert len(refused.value.faults) == MAX_FAULTS


def test_a_failure_is_small_whatever_it_is_made_of() -> None:
    text = "\U0001f600" * 100_000
    error = WorkerError(ErrorCode.INTERNAL, text, field=text, faults=(Fault(text, text),) * 1000)
    assert len(FailureResult.of(error, "job").model_dump_json()) < LARGEST_REPLY


@pytest.mark.parametrize("levels", [0, 1, MAX_DEPTH])
def test_what_is_within_the_bounds_passes(levels: int) -> None:
    check_bounds(nested(levels))


def test_one_level_more_does_not() -> None:
    with pytest.raises(WorkerError, match="levels deep"):
        check_bounds(nested(MAX_DEPTH + 1))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inside: st.lists(inside, max_size=8) | st.dictionaries(st.text(max_size=20), inside, max_size=8),
    max_leaves=40,
)
FIELDS = st.sampled_from(sorted(JobInput.model_fields)) | st.text(max_size=30)


ANY_INPUT = ANYTHING | st.dictionaries(FIELDS, ANYTHING, max_size=30)


def is_a_job_or_a_small_refusal(raw: object) -> None:
    try:
        JobInput.parse(raw)
    except WorkerError as error:
        assert error.code is ErrorCode.INVALID_INPUT
        reply = FailureResult.of(error, "job").model_dump(mode="json", exclude_none=True)
        assert len(json.dumps(reply, ensure_ascii=False, allow_nan=False).encode()) < LARGEST_REPLY


#: Bodies of jobs as they were sent, each of a kind that has ended badly somewhere.
KEPT = json.loads(Path(__file__).with_name("hostile_bodies.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("body", KEPT, ids=[body["why"] for body in KEPT])
def test_a_body_that_was_kept_is_a_job_or_a_small_refusal(body: dict[str, str]) -> None:
    is_a_job_or_a_small_refusal(json.loads(body["json"]))


@given(ANY_INPUT)
def test_any_input_is_a_job_or_a_small_refusal(raw: object) -> None:
    is_a_job_or_a_small_refusal(raw)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_INPUT)
def test_twenty_thousand_inputs_are_jobs_or_small_refusals(raw: object) -> None:
    is_a_job_or_a_small_refusal(raw)
