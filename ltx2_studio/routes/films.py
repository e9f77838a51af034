"""`/api/films`: the caller's videos in a row, with transitions and music; costs no credits."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from .. import film_contract, film_orders, films, views
from ..film_contract import FILM_FINAL, FilmState
from ..films import FilmOrder, FilmRow
from ..problems import ProblemError, not_found
from .common import Account, Key, Viewer, backend_of, cursor, reading, require_id, within

router = APIRouter(prefix="/api/films", tags=["films"])


@router.post("", status_code=HTTPStatus.CREATED, responses={200: {"model": film_contract.Film}})
def create(
    request: Request, response: Response, account: Account, edit: film_contract.NewFilm, key: Key
) -> film_contract.Film:
    """Ask for a film; the same key and the same body are the same film, however often they come."""
    backend = backend_of(request)
    film_orders.require_bucket(backend.links)
    order = FilmOrder(account, key, edit)
    row, known = film_orders.take(backend.engine, backend.links, order, backend.settings, backend.clock())
    backend.changes.wake()
    if known:
        response.status_code = HTTPStatus.OK
        response.headers["Idempotency-Replayed"] = "true"
    return views.film(row)


@router.get("")
def listed(
    request: Request,
    account: Account,
    cursor_: Annotated[str | None, Query(alias="cursor")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> film_contract.FilmPage:
    """The caller's films, the newest change first."""
    before = cursor(cursor_)
    rows = reading(backend_of(request), lambda db: films.page(db, account, before, limit + 1))
    items = [views.film(row) for row in rows[:limit]]
    return film_contract.FilmPage(items=items, next=str(items[-1].seq) if len(rows) > limit else None)


@router.get("/{film}")
def shown(request: Request, account: Account, film: str) -> film_contract.Film:
    """One film."""
    return views.film(_owned(request, account, film))


@router.get("/{film}/video", status_code=HTTPStatus.FOUND, response_class=RedirectResponse)
def video(request: Request, account: Viewer, film: str, download: bool = False) -> RedirectResponse:
    """A fresh link to the film."""
    row = _owned(request, account, film)
    if row.state is not FilmState.SUCCEEDED:
        raise ProblemError(HTTPStatus.CONFLICT, "no_video", "The film is not there yet.")
    link = backend_of(request).links.film(row.id, "film.mp4" if download else None)
    if link is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no_file", "The film's file is not there.")
    return RedirectResponse(link, HTTPStatus.FOUND, {"Cache-Control": "no-store"})


@router.post("/{film}/cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel(request: Request, account: Account, film: str) -> film_contract.Film:
    """Cancel a film."""
    backend = backend_of(request)
    return views.film(await backend.renderer.cancel(_owned(request, account, film)))


@router.delete("/{film}", status_code=HTTPStatus.NO_CONTENT)
def remove(request: Request, account: Account, film: str) -> None:
    """Delete a film; one that is under way has to be cancelled first. Its clips stay."""
    row = _owned(request, account, film)
    if row.state not in FILM_FINAL:
        raise ProblemError(HTTPStatus.CONFLICT, "under_way", "It is under way: cancel it first.")
    backend = backend_of(request)
    now = backend.clock()
    within(backend, lambda db: films.change(db, row, only_from=FILM_FINAL, hidden_at=now))
    backend.links.remove_film(row.id)


def _owned(request: Request, account: str, film: str) -> FilmRow:
    require_id(film, "film")
    try:
        row = reading(backend_of(request), lambda db: films.get(db, film))
    except LookupError:
        raise not_found("film") from None
    if row.account != account or row.hidden_at is not None:
        raise not_found("film")
    return row
