"""`/api/generations`: asking for videos, looking at them, ending them."""

import asyncio
import re
import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse

from ltx2_api.reply import VideoResult

from .. import contract, finding, generations, last_frames, offered, orders, own_files, pictures, views
from ..contract import FINAL, State
from ..generations import New, Row
from ..problems import ProblemError, not_found
from .common import Account, Key, Viewer, backend_of, cursor, reading, require_id, within

router = APIRouter(prefix="/api/generations", tags=["generations"])

#: What can be asked for. RunPod's endpoint may offer more; each is a contract of its own.
MODEL = "ltx-2"


@router.get("/models")
def models(request: Request, account: Account) -> list[contract.Model]:
    """What can be generated, at which price: a page builds its form from this."""
    settings = backend_of(request).settings
    limits = contract.Limits(
        open_generations=settings.open_generations, previews_per_minute=settings.previews_per_minute
    )
    return [
        contract.Model(
            id=MODEL,
            input_schema=offered.schema(settings.offer),
            prices=offered.prices(),
            presets=offered.presets(),
            limits=limits,
        )
    ]


@router.post("/quote")
def quote(request: Request, account: Account, asked: contract.QuoteRequest) -> contract.Quote:
    """What a job would cost; a job that is wrong is answered with its faults, and is no error."""
    _require_model(asked.model)
    return reading(backend_of(request), lambda db: orders.quote(db, account, asked.input))


@router.post("", status_code=HTTPStatus.CREATED, responses={200: {"model": contract.Generation}})
def create(
    request: Request, response: Response, account: Account, asked: contract.NewGeneration, key: Key
) -> contract.Generation:
    """Ask for a video; the same key and the same body are the same order, however often they come."""
    _require_model(asked.model)
    new = New(account, key, asked.model, asked.input, tuple(asked.tags), credits=0)
    return _take(request, response, new)


@router.get("")
def listed(
    request: Request,
    account: Account,
    *,
    state: Annotated[tuple[State, ...], Query()] = (),
    tag: str | None = None,
    q: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
    cursor_: Annotated[str | None, Query(alias="cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> contract.Page:
    """The caller's generations, the newest change first: in these states, with this in their prompts."""
    backend = backend_of(request)
    wanted = finding.Wanted(account, state, tag, q, cursor(cursor_))
    rows = reading(backend, lambda db: finding.page(db, wanted, limit + 1))
    items = [views.generation(row, backend.clock()) for row in rows[:limit]]
    return contract.Page(items=items, next=str(items[-1].seq) if len(rows) > limit else None)


@router.get("/{generation}")
def shown(request: Request, account: Account, generation: str) -> contract.Generation:
    """One generation."""
    return views.generation(_owned(request, account, generation), backend_of(request).clock())


@router.get("/{generation}/video", status_code=HTTPStatus.FOUND, response_class=RedirectResponse)
def video(request: Request, account: Viewer, generation: str, download: bool = False) -> RedirectResponse:
    """A fresh link to the video."""
    row = _done(_owned(request, account, generation))
    name = f"{_file_name(row)}.mp4" if download else None
    return _redirect(backend_of(request).links.video(str(row.job_id), _reply(row), name))


@router.get("/{generation}/poster", status_code=HTTPStatus.FOUND, response_class=RedirectResponse)
def poster(request: Request, account: Viewer, generation: str) -> RedirectResponse:
    """A fresh link to the video's poster."""
    row = _done(_owned(request, account, generation))
    return _redirect(backend_of(request).links.poster(str(row.job_id), _reply(row)))


@router.get(
    "/{generation}/picture",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}},
        204: {"description": "There is none: not yet, no more, or never."},
    },
)
def picture(request: Request, account: Viewer, generation: str) -> Response:
    """The video's first frame as it emerges, a small JPEG, as long as the generation runs."""
    row = _owned(request, account, generation)
    jpeg = reading(backend_of(request), lambda db: pictures.get(db, row.id))
    return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/{generation}/last-frame", status_code=HTTPStatus.CREATED)
def last_frame(request: Request, account: Account, generation: str) -> contract.Uploaded:
    """The video's last frame as a picture in the bucket: where the next one may start."""
    row = _done(_owned(request, account, generation))
    url = last_frames.put(backend_of(request).links, account, row.id, str(row.job_id), _reply(row))
    return contract.Uploaded(url=url)


@router.post("/{generation}/cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel(request: Request, account: Account, generation: str) -> contract.Generation:
    """Cancel a generation; what is finished by then stays finished, and is paid."""
    backend = backend_of(request)
    row = await asyncio.to_thread(_owned, request, account, generation)
    return views.generation(await backend.dispatcher.cancel(row), backend.clock())


@router.post("/{generation}/retry", status_code=HTTPStatus.CREATED)
def retry(
    request: Request,
    response: Response,
    account: Account,
    generation: str,
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
) -> contract.Generation:
    """Ask for the same video again, as a new generation."""
    row = _owned(request, account, generation)
    if row.state not in FINAL or row.state is State.SUCCEEDED:
        raise ProblemError(
            HTTPStatus.CONFLICT, "not_failed", "Only a generation that ended without a video can be retried."
        )
    new = New(
        account, key or f"retry-{uuid.uuid4()}", row.model, row.input, tuple(row.tags), 0, retry_of=row.id
    )
    return _take(request, response, new)


@router.delete("/{generation}", status_code=HTTPStatus.NO_CONTENT)
def hide(request: Request, account: Account, generation: str) -> None:
    """Remove a generation from the caller's list; one that is under way has to be cancelled first."""
    row = _owned(request, account, generation)
    if row.state not in FINAL:
        raise ProblemError(HTTPStatus.CONFLICT, "under_way", "It is under way: cancel it first.")
    backend = backend_of(request)
    within(backend, lambda db: generations.change(db, row, hidden_at=backend.clock()))


def _take(request: Request, response: Response, new: New) -> contract.Generation:
    backend = backend_of(request)
    faults = [
        *offered.faults(backend.settings.offer, new.input),
        *own_files.faults(backend.links, new.account, new.input),
    ]
    if faults:
        told = {fault.field for fault in faults}
        faults += (fault for fault in orders.faults(dict(new.input)) if fault.field not in told)
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_input", faults[0].message, faults=faults)
    row, known = orders.take(backend.engine, new, backend.settings, backend.clock())
    backend.changes.wake()
    if known:
        response.status_code = HTTPStatus.OK
        response.headers["Idempotency-Replayed"] = "true"
    return views.generation(row, backend.clock())


def _owned(request: Request, account: str, generation: str) -> Row:
    require_id(generation, "generation")
    try:
        row = reading(backend_of(request), lambda db: generations.get(db, generation))
    except LookupError:
        raise not_found() from None
    if row.account != account or row.hidden_at is not None:
        raise not_found()
    return row


def _done(row: Row) -> Row:
    if row.state is not State.SUCCEEDED:
        raise ProblemError(HTTPStatus.CONFLICT, "no_video", "There is no video yet.")
    return row


def _reply(row: Row) -> VideoResult:
    return VideoResult.model_validate(row.reply, extra="ignore")


def _redirect(link: str | None) -> RedirectResponse:
    if link is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no_file", "There is no such file of this video.")
    return RedirectResponse(link, HTTPStatus.FOUND, {"Cache-Control": "no-store"})


def _file_name(row: Row) -> str:
    words = re.findall(r"[a-z0-9]+", str(row.input.get("prompt", "")).lower())[:6]
    return "-".join(words)[:60] or "video"


def _require_model(model: str) -> None:
    if model != MODEL:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_model",
            f"There is no such model here; there is {MODEL}.",
            faults=[contract.Fault(field="model", message=f"must be {MODEL}.")],
        )
