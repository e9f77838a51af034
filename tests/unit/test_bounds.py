"""No input, whatever it holds, makes a large reply or takes long to refuse."""

import json
from typing import Any

import pytest

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
