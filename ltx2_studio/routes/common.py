"""What every route needs: the backend, the caller's account, a transaction."""

import math
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Header, Query
from starlette.requests import HTTPConnection

from ltx2_client.strangers import whole_number

from .. import events
from ..backend import Backend
from ..problems import ProblemError, not_found

T = TypeVar("T")

#: What ids look like here.
_ID = re.compile(r"[0-9a-f-]{36}")


def backend_of(connection: HTTPConnection) -> Backend:
    """The backend of the application that got the request."""
    backend: Backend = connection.app.state.backend
    return backend


def account_of(connection: HTTPConnection) -> str:
    """The account behind the request's bearer token.

    Raises:
        ProblemError: there is no token, or it is nobody's.
    """
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    account = backend_of(connection).auth.account(token) if scheme.lower() == "bearer" and token else None
    if account is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED, "unauthorized", "Send a valid token: Authorization: Bearer …"
        )
    return _counted(connection, account)


Account = Annotated[str, Depends(account_of)]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=255, pattern=r"^[\x21-\x7e]+$")]


def _counted(connection: HTTPConnection, account: str) -> str:
    """The account, if it has not asked too often."""
    seconds = backend_of(connection).rates.take(account)
    if seconds:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_requests",
            "That is more requests than an account may make in a minute.",
            retry_after=math.ceil(seconds),
        )
    return account


def viewer_of(connection: HTTPConnection, ticket: Annotated[str | None, Query()] = None) -> str:
    """The account that looks or listens: by a ticket in the address, or else by its token.

    An EventSource, a WebSocket, an image and a video of a browser can send no header.

    Raises:
        ProblemError: the ticket is forged or old; or there is none, and no token.
    """
    if ticket is None:
        return account_of(connection)
    backend = backend_of(connection)
    account = events.account_of(backend.settings.secret.get_secret_value(), ticket, backend.clock())
    if account is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", "The ticket is old: ask for a new one.")
    return _counted(connection, account)


Viewer = Annotated[str, Depends(viewer_of)]


def reading(backend: Backend, look: Callable[[sa.Connection], T]) -> T:
    """Look at something, while others write."""
    with backend.reader.begin() as db:
        return look(db)


def within(backend: Backend, work: Callable[[sa.Connection], T]) -> T:
    """Change something in one transaction, and tell of it."""
    with backend.engine.begin() as db:
        done = work(db)
    backend.changes.wake()
    return done


def require_id(text: str, what: str) -> None:
    """Make sure that a text can be an id, before a database is asked; raises ProblemError."""
    if not _ID.fullmatch(text):
        raise not_found(what)


def cursor(text: str | None) -> int | None:
    """A page's cursor as a number.

    Raises:
        ProblemError: it is none that this API gave.
    """
    if text is None:
        return None
    if (number := whole_number(text)) is None:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "cursor: not one of this API's."
        )
    return number
