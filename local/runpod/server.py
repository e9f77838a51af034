"""The platform on HTTP: aiohttp's server in front of `Platform.serve`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from local.runpod.message import Call, HangUp, Reply
from local.runpod.platform import Platform
from local.runpod.submission import MEBIBYTE, RUNSYNC_BYTES

#: A little more than the largest body that is accepted: what is over is refused in words, not cut off.
_MOST_BYTES = RUNSYNC_BYTES + MEBIBYTE
#: Idle connections stay open: one that closes while a request is on its way would look like a lost reply.
_KEEPALIVE_SECONDS = 3600.0
#: Requests that are held at the end, such as a worker's for jobs, are not waited for.
_SHUTDOWN_SECONDS = 0.1


@asynccontextmanager
async def listening(platform: Platform, host: str, port: int) -> AsyncIterator[int]:
    """Serve the platform on HTTP.

    Arguments:
        port: 0 takes a free one.

    Yields:
        The port.
    """
    server = web.Server(_Handler(platform), handler_cancellation=True, keepalive_timeout=_KEEPALIVE_SECONDS)
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class _Handler:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            reply = await self._platform.serve(await _call(request))
        except HangUp:
            return _hang_up(request)
        return await _send(request, reply)


async def _call(request: web.BaseRequest) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    content = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        if len(content) <= _MOST_BYTES:
            content += chunk
    return Call(request.method, request.path, dict(request.query), headers, bytes(content))


async def _send(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    content_type = "application/json" if reply.body is not None else None
    response = web.Response(
        status=reply.status, body=reply.content, headers=dict(reply.headers), content_type=content_type
    )
    try:
        await response.prepare(request)
        await response.write_eof()
    except BaseException:
        if reply.undo:
            reply.undo()
        raise
    return response


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport:
        request.transport.close()
    return web.Response()
