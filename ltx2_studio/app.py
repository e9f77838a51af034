"""The application: routes, errors, and what runs beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware

from . import problems
from .backend import Backend
from .body_limit import BodyLimit
from .problems import ProblemError
from .routes import account, generations, hooks, operations, page, stream, uploads

log = logging.getLogger(__name__)

TITLE = "AI Video"
VERSION = "1"

#: Seconds for a round to end in order; every state is written, so that nothing is lost with one that is cut.
END_SECONDS = 5.0


def create_app(backend: Backend) -> FastAPI:
    """The API over a backend; its rounds run as long as the application does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        rounds = asyncio.create_task(backend.run())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.wait({rounds}, timeout=END_SECONDS)

    app = FastAPI(title=TITLE, version=VERSION, lifespan=lifespan)
    app.state.backend = backend
    _add_routes(app)
    app.add_exception_handler(ProblemError, problems.answer)
    app.add_exception_handler(RequestValidationError, problems.answer_invalid)
    app.add_middleware(BodyLimit)
    if backend.settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(backend.settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Idempotency-Replayed", "Retry-After"],
        )
    return app


def describe() -> dict[str, Any]:
    """The API as OpenAPI has it."""
    app = FastAPI(title=TITLE, version=VERSION)
    _add_routes(app)
    return app.openapi()


def _add_routes(app: FastAPI) -> None:
    # The stream and the hooks first: `/{generation}` would take their addresses for ids.
    for part in (account, stream, hooks, generations, uploads, operations, page):
        app.include_router(part.router)
    app.mount("/studio", page.static)
