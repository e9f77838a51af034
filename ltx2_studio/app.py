"""The application: routes, errors, and what runs beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from . import problems
from .backend import Backend
from .body_limit import BodyLimit
from .contract import Problem
from .guard import Guard
from .problems import ProblemError
from .routes import account, films, generations, hooks, operations, page, stream, uploads

log = logging.getLogger(__name__)

TITLE = "AI Video"
VERSION = "1"

#: Seconds for a round to end in order; every state is written, so that nothing is lost with one that is cut.
END_SECONDS = 5.0


def create_app(backend: Backend) -> FastAPI:
    """The API over a backend; its rounds run as long as the application does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await backend.changes.begin()
        rounds = asyncio.create_task(backend.run())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.wait({rounds}, timeout=END_SECONDS)

    app = FastAPI(title=TITLE, version=VERSION, lifespan=lifespan)
    app.state.backend = backend
    _add_routes(app)
    described = _described(app)
    app.openapi = lambda: described  # type: ignore[method-assign]
    app.add_exception_handler(ProblemError, problems.answer)
    app.add_exception_handler(RequestValidationError, problems.answer_invalid)
    app.add_exception_handler(HTTPException, problems.answer_http)
    app.add_exception_handler(Exception, problems.answer_fault)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, registry=backend.metrics)
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
    return _described(app)


def _described(app: FastAPI) -> dict[str, Any]:
    """The application's own description, with the problems that it answers instead of FastAPI's errors."""
    described = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = described["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas["Problem"].pop("$defs")
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in described["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = {"description": "A problem (RFC 9457)", "content": problem}
    return described


def _add_routes(app: FastAPI) -> None:
    # The stream and the hooks first: `/{generation}` would take their addresses for ids.
    for part in (account, stream, hooks, generations, films, uploads, operations, page):
        app.include_router(part.router)
    app.mount("/studio", page.static)
