"""Changes as they happen: Server-Sent Events, and the same objects over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection

from ltx2_client.strangers import whole_number

from .. import contract, events, views
from ..problems import ProblemError
from .common import Account, backend_of, viewer_of

router = APIRouter(prefix="/api/generations", tags=["events"])

#: The largest whole number that a page in a browser has exactly.
MOST_SEQ = 2**53 - 1
#: Seconds of silence after which a comment is sent: proxies end what they take for dead.
HEARTBEAT = 15.0
#: Milliseconds after which a browser connects again.
RETRY = 2000


@router.post("/ticket")
def ticket(request: Request, account: Account) -> contract.Ticket:
    """A ticket for addresses: a stream or a video that a browser opens itself comes without a header."""
    backend = backend_of(request)
    made = events.ticket(backend.settings.secret.get_secret_value(), account, backend.clock())
    return contract.Ticket(ticket=made, expires_in=events.TICKET_SECONDS)


@router.get("/events", response_class=StreamingResponse)
async def server_sent(
    request: Request,
    ticket: str | None = None,
    since: Annotated[int | None, Query(ge=0, le=MOST_SEQ)] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:
    """Every change of the caller's generations and films; with Last-Event-ID those that were missed, once."""
    account = await asyncio.to_thread(viewer_of, request, ticket)
    _require_room(request, account)
    seen = whole_number(last_event_id) if last_event_id else None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    lines = _lines(request, account, since if seen is None else seen)
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


def _require_room(connection: HTTPConnection, account: str) -> None:
    backend = backend_of(connection)
    most = backend.settings.streams
    if backend.changes.count(account) >= most:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS, "too_many_streams", f"{most} streams may be open.", retry_after=30
        )


async def _lines(request: Request, account: str, since: int | None) -> AsyncIterator[str]:
    backend = backend_of(request)
    yield f"retry: {RETRY}\n\n"
    async for row in backend.changes.of(account, since, HEARTBEAT):
        if row is None:
            yield ": still here\n\n"
        else:
            shown = views.changed(row, backend.clock())
            yield f"id: {row.seq}\nevent: {shown.object}\ndata: {shown.model_dump_json()}\n\n"


@router.websocket("/ws")
async def web_socket(
    socket: WebSocket,
    ticket: str | None = None,
    since: Annotated[int | None, Query(ge=0, le=MOST_SEQ)] = None,
) -> None:
    """The same objects, one in each message; `since` is the `seq` of the last one that was seen."""
    try:
        account = await asyncio.to_thread(viewer_of, socket, ticket)
        _require_room(socket, account)
    except ProblemError as error:
        await socket.close(code=4000 + error.problem.status)
        return
    await socket.accept()
    sending = asyncio.create_task(_send(socket, account, since))
    try:
        # Nothing is expected; this ends when the browser goes.
        while not sending.done() and (await socket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        sending.cancel()
        await asyncio.wait({sending})


async def _send(socket: WebSocket, account: str, since: int | None) -> None:
    backend = backend_of(socket)
    with suppress(WebSocketDisconnect):
        async for row in backend.changes.of(account, since, HEARTBEAT):
            if row is not None:
                await socket.send_text(views.changed(row, backend.clock()).model_dump_json())
