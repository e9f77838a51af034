"""Changes as they happen: Server-Sent Events, and the same objects over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from .. import contract, events, views
from ..problems import ProblemError
from .common import Account, backend_of, viewer_of

router = APIRouter(prefix="/api/generations", tags=["events"])

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
    since: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:
    """Every change of the caller's generations; with Last-Event-ID those that were missed, once."""
    account = await asyncio.to_thread(viewer_of, request, ticket)
    seen = int(last_event_id) if last_event_id and last_event_id.isdigit() else since
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(request, account, seen), media_type="text/event-stream", headers=headers)


async def _lines(request: Request, account: str, since: int | None) -> AsyncIterator[str]:
    backend = backend_of(request)
    yield f"retry: {RETRY}\n\n"
    async for row in backend.changes.of(account, since, HEARTBEAT):
        if row is None:
            yield ": still here\n\n"
        else:
            shown = views.generation(row, backend.clock()).model_dump_json()
            yield f"id: {row.seq}\nevent: generation\ndata: {shown}\n\n"


@router.websocket("/ws")
async def web_socket(
    socket: WebSocket, ticket: str | None = None, since: Annotated[int | None, Query(ge=0)] = None
) -> None:
    """The same objects, one in each message; `since` is the `seq` of the last one that was seen."""
    try:
        account = await asyncio.to_thread(viewer_of, socket, ticket)
    except ProblemError:
        await socket.close(code=4401)
        return
    await socket.accept()
    sending = asyncio.create_task(_send(socket, account, since))
    with suppress(WebSocketDisconnect):
        while not sending.done():
            await socket.receive_text()  # nothing is expected; this ends when the browser goes
    sending.cancel()
    await asyncio.wait({sending})


async def _send(socket: WebSocket, account: str, since: int | None) -> None:
    backend = backend_of(socket)
    async for row in backend.changes.of(account, since, HEARTBEAT):
        if row is not None:
            await socket.send_text(views.generation(row, backend.clock()).model_dump_json())
