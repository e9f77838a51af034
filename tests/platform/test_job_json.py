"""A job that Python's JSON parser cannot read is still a job, and takes no other one down."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from runpod.http_client import AsyncClientSession
from runpod.serverless.modules import rp_job

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_worker.endpoint.job_json import DEEPEST, JobResponse, flattened, is_job

GOOD = '{"id": "good", "input": {"prompt": "A cat]}."}}'
POISON = {
    "objects": '{"deep": ' * 3000 + "1" + "}" * 3000,
    "lists": "[" * 50_000 + "]" * 50_000,
    "digits": '{"prompt": "x", "seed": ' + "9" * 5000 + "}",
}


def taken(body: str, monkeypatch: pytest.MonkeyPatch, **session_options: Any) -> Any:
    """What the SDK's own request for jobs makes of an answer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async def take() -> Any:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        async with TestServer(app) as server, AsyncClientSession(**session_options) as session:
            monkeypatch.setattr(rp_job, "JOB_GET_URL", str(server.make_url("/job-take/worker?gpu=none")))
            return await rp_job.get_job(session, 1)

    return asyncio.run(take())


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_the_sdk_alone_loses_a_job_and_its_batch_mate(poison: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f'[{{"id": "bad", "input": {poison}}}, {GOOD}]'
    try:
        assert taken(body, monkeypatch) is None
    except RecursionError:
        return


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_job_that_cannot_be_parsed_is_refused_and_its_batch_mate_is_as_it_was(
    poison: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f'[{{"id": "bad", "input": {poison}}}, {GOOD}]'
    bad, good = taken(body, monkeypatch, response_class=JobResponse)
    assert good == json.loads(GOOD)
    with pytest.raises(WorkerError) as refused:
        JobInput.parse(bad["input"])
    assert refused.value.code is ErrorCode.INVALID_INPUT


def test_what_is_no_json_is_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken("{", monkeypatch, response_class=JobResponse) is None


@pytest.mark.parametrize("depth", [1, DEEPEST - 1, DEEPEST, DEEPEST + 1, 500])
def test_only_what_lies_deeper_than_the_bound_is_replaced(depth: int) -> None:
    text = "[" * depth + '"]\\"["' + "]" * depth
    shallow = json.loads(flattened(f'[{text}, "a", {text}]'))
    whole = json.loads(f'[{text}, "a", {text}]')
    assert (shallow == whole) == (depth < DEEPEST)
    assert shallow[1] == "a"


@pytest.mark.parametrize(
    "job",
    [None, "x", [], {}, {"id": "a"}, {"id": None, "input": {}}, {"id": 1, "input": {}}]
    + [
        {"id": job_id, "input": {}}
        for job_id in ("", ".", "..", "a b", "a\nb", "a/b", "a?b", "a#b", "é", "a" * 300)
    ],
)
def test_what_the_sdk_cannot_run_or_report_on_is_no_job(job: object) -> None:
    assert not is_job(job)


def test_an_id_of_runpod_s_is_one() -> None:
    assert is_job({"id": "sync-0e3d0ab8-1c2f-4d6e-9a3b-7f6b7f4e2c11-u1", "input": None})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text('[]{}"\\,: \n\u2028é', max_size=10),
        lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text('[]{}"\\', max_size=5), inside),
        max_leaves=30,
    ),
    st.integers(0, 200),
    st.booleans(),
)
def test_flattening_keeps_every_value_that_is_not_too_deep(value: Any, levels: int, ascii_only: bool) -> None:
    deep: Any = value
    for _ in range(levels):
        deep = [deep]
    text = json.dumps({"before": value, "deep": deep, "after": value}, ensure_ascii=ascii_only)
    parsed = json.loads(flattened(text))
    assert (parsed["before"], parsed["after"]) == (value, value)
    assert json.loads(flattened(flattened(text))) == parsed


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ['{"a":"' + '\\"' * 500_000, '"' + "\\" * 1_000_001, '"' * 1_000_001])
def test_an_answer_that_breaks_off_in_a_text_is_looked_at_once(text: str) -> None:
    assert len(flattened(text)) == len(text)
