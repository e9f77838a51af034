"""Carries procedures out: with threads' I/O, and the same for async code."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2

from .body import MOST_REPLY_BYTES, Body
from .events import Event
from .wire import Fetch, NotSent, Pause, Procedure, Reply, Request, Result, Step, Tell, Unclear

#: Requests at a time: RunPod allows 400 concurrent status requests per endpoint.
_LIMITS = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30.0)
#: For requests that must not be sent over a connection that may be half closed.
_FRESH = httpx2.Limits(max_connections=100, max_keepalive_connections=0)
#: Seconds to connect, and to wait for one of the connections.
_CONNECT_SECONDS, _POOL_SECONDS = 10.0, 60.0
#: No connection was there, so not a byte of the request has left.
_NEVER_LEFT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
)

#: Packed, an answer of a few kilobytes can be gigabytes.
_UNPACKED = {"Accept-Encoding": "identity"}

Listener = Callable[[Event], None]
Answer = Reply | Exception | None


class Driver:
    """Carries procedures out, blocking. Safe to use from several threads."""

    def __init__(self) -> None:
        verify = httpx2.create_ssl_context()
        self._client = httpx2.Client(limits=_LIMITS, verify=verify)
        self._fresh = httpx2.Client(limits=_FRESH, verify=verify)

    def run(self, procedure: Procedure[Result], listen: Listener | None = None) -> Result:
        """Carry a procedure out and return its result; events go to `listen`."""
        walk = self._walk(procedure)
        while True:
            try:
                event = next(walk)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if listen:
                listen(event)

    def iterate(self, procedure: Procedure[Any]) -> Iterator[Event]:
        """Carry a procedure out as its events are asked for."""
        yield from self._walk(procedure)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._fresh.close()

    def _walk(self, procedure: Procedure[Result]) -> Any:
        step = _first(procedure)
        try:
            while not isinstance(step, _Finished):
                if isinstance(step, Tell):
                    yield step.event
                    step = _next(procedure, None)
                    continue
                try:
                    answer: Answer = self._carry_out(step)
                except Exception as error:  # noqa: BLE001 - the procedure decides what it means
                    answer = error
                step = _next(procedure, answer)
            return step.value
        finally:
            procedure.close()

    def _carry_out(self, step: Request | Fetch | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Fetch):
                return self._fetch(step)
            client = self._fresh if step.fresh else self._client
            with client.stream(**_sent(step)) as response:
                body = Body(response, most=MOST_REPLY_BYTES)
                for piece in response.iter_raw():
                    body.add(piece)
                return _reply(response, body.whole)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _named(error) from error

    def _fetch(self, step: Fetch) -> Reply:
        with self._client.stream(
            "GET", step.url, headers=step.headers, timeout=_timeout(step.timeout), follow_redirects=True
        ) as response:
            head = _reply(response, b"")
            if (write := step.accept(head)) is not None:
                body = Body(response)
                for piece in response.iter_raw():
                    body.met(piece)
                    write(piece)
            return head

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class AsyncDriver:
    """Carries procedures out in async code, on asyncio or trio."""

    def __init__(self) -> None:
        verify = httpx2.create_ssl_context()
        self._client = httpx2.AsyncClient(limits=_LIMITS, verify=verify)
        self._fresh = httpx2.AsyncClient(limits=_FRESH, verify=verify)

    async def run(self, procedure: Procedure[Result], listen: Listener | None = None) -> Result:
        """Carry a procedure out and return its result; events go to `listen`."""
        step = _first(procedure)
        try:
            while not isinstance(step, _Finished):
                step = await self._carried_out(procedure, step, listen)
            result: Result = step.value
            return result
        finally:
            procedure.close()

    async def iterate(self, procedure: Procedure[Any]) -> AsyncIterator[Event]:
        """Carry a procedure out as its events are asked for."""
        step = _first(procedure)
        try:
            while not isinstance(step, _Finished):
                if isinstance(step, Tell):
                    yield step.event
                step = await self._carried_out(procedure, step, None)
        finally:
            procedure.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._fresh.aclose()

    async def _carried_out(
        self, procedure: Procedure[Any], step: Step, listen: Listener | None
    ) -> "Step | _Finished":
        if isinstance(step, Tell):
            if listen:
                listen(step.event)
            return _next(procedure, None)
        try:
            answer: Answer = await self._carry_out(step)
        except Exception as error:  # noqa: BLE001 - the procedure decides what it means
            answer = error
        return _next(procedure, answer)

    async def _carry_out(self, step: Request | Fetch | Pause) -> Reply | None:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Fetch):
                return await self._fetch(step)
            client = self._fresh if step.fresh else self._client
            async with client.stream(**_sent(step)) as response:
                body = Body(response, most=MOST_REPLY_BYTES)
                async for piece in response.aiter_raw():
                    body.add(piece)
                return _reply(response, body.whole)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _named(error) from error

    async def _fetch(self, step: Fetch) -> Reply:
        async with self._client.stream(
            "GET", step.url, headers=step.headers, timeout=_timeout(step.timeout), follow_redirects=True
        ) as response:
            head = _reply(response, b"")
            if (write := step.accept(head)) is not None:
                body = Body(response)
                async for piece in response.aiter_raw():
                    body.met(piece)
                    write(piece)
            return head


class _Finished:
    """The end of a procedure, with its result."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _first(procedure: Procedure[Any]) -> Step | _Finished:
    return _next(procedure, None)


def _next(procedure: Procedure[Any], answer: Answer) -> Step | _Finished:
    """Give a procedure its answer, and take its next step."""
    try:
        return procedure.throw(answer) if isinstance(answer, Exception) else procedure.send(answer)
    except StopIteration as stop:
        return _Finished(stop.value)


def _reply(response: httpx2.Response, body: bytes) -> Reply:
    return Reply(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, body
    )


def _sent(step: Request) -> dict[str, Any]:
    """A request as the HTTP library takes it."""
    return {
        "method": step.method,
        "url": step.url,
        "headers": {**step.headers, **_UNPACKED},
        "content": step.content,
        "timeout": _timeout(step.timeout),
    }


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=_CONNECT_SECONDS, pool=_POOL_SECONDS)


def _named(error: Exception) -> NotSent | Unclear:
    """Which of the two it was; worded without addresses, which may hold keys."""
    kind = type(error).__name__
    if isinstance(error, _NEVER_LEFT):
        why = "the connection was not made in time" if "Timeout" in kind else f"no connection ({error})"
        return NotSent(why)
    return Unclear(
        "no answer in time" if isinstance(error, httpx2.TimeoutException) else "the connection broke"
    )
