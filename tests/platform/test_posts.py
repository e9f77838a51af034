"""A post to the platform is tried again while that may help, and says whose it is each time."""

import asyncio
from collections.abc import Iterable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ltx2_worker.endpoint import posts

CUT_OFF = 0


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "FIRST_PAUSE", 0.001)


def posted(answers: Iterable[int], body: str = "{}") -> list[tuple[str, str]]:
    """The request ids and bodies that reach a server which gives these answers, 200 after them."""
    left = list(answers)
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["X-Request-ID"], await request.text()))
        status = left.pop(0) if left else 200
        if status == CUT_OFF:
            assert request.transport
            request.transport.close()
        return web.Response(status=status or 500)

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/done", answer)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            session.headers["X-Request-ID"] = "mine"
            post = asyncio.create_task(posts.post(session, str(server.make_url("/done")), body))
            await asyncio.sleep(0)
            session.headers["X-Request-ID"] = "another-job-s"
            await post

    try:
        asyncio.run(main())
    except aiohttp.ClientError:
        seen.append(("", "given up"))
    return seen


@pytest.mark.parametrize(
    "answers", [[], [500], [429, 429], [408], [425], [CUT_OFF, CUT_OFF], [502, CUT_OFF, 429, 503]]
)
def test_a_post_is_repeated_until_it_arrives_and_stays_this_job_s(answers: list[int]) -> None:
    assert posted(answers) == [("mine", "{}")] * (len(answers) + 1)


def test_half_of_a_surrogate_pair_does_not_cost_the_result() -> None:
    assert posted([], '{"a": "\ud800"}') == [("mine", '{"a": "?"}')]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_post_that_is_refused_for_good_is_not_repeated(status: int) -> None:
    assert posted([status]) == [("mine", "{}"), ("", "given up")]


def test_a_post_that_never_arrives_is_given_up() -> None:
    assert posted([500] * 100) == [("mine", "{}")] * posts.POST_TRIES + [("", "given up")]
