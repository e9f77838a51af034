"""The application: routes, errors, and what runs beside the requests."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware

from . import problems
from .dispatching import Dispatcher
from .events import Changes
from .ports import Auth, Links, Queue
from .problems import ProblemError
from .routes import account, generations, hooks, operations, stream, uploads
from .settings import Settings

log = logging.getLogger(__name__)

TITLE = "AI Video"
VERSION = "1"

#: Seconds between two rounds where nothing was due, and after one that failed.
PAUSE = 0.5
PAUSE_AFTER_FAULT = 5.0
#: Seconds for a round to end in order; every state is written, so that nothing is lost with one that is cut.
END_SECONDS = 5.0


@dataclass
class Backend:
    """Everything that a request may need.

    Attributes:
        clock: seconds since 1970.
    """

    settings: Settings
    engine: sa.Engine
    auth: Auth
    queue: Queue
    links: Links
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.changes = Changes(self.engine)
        self.dispatcher = Dispatcher(
            self.engine, self.queue, self.links, self.settings, self.clock, self.changes.wake
        )
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Submit, reconcile and tell of changes until cancelled."""
        self.started.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.changes.watch())
            tasks.create_task(_again_and_again(self.dispatcher.submit_due))
            tasks.create_task(_again_and_again(self.dispatcher.reconcile_due))


async def _again_and_again(step: Callable[[], Awaitable[int]]) -> None:
    while True:
        try:
            handled = await step()
        except Exception:
            # The database is away, say: it may come back, and what is due is still due then.
            log.exception("round failed")
            await asyncio.sleep(PAUSE_AFTER_FAULT)
        else:
            await asyncio.sleep(0.0 if handled else PAUSE)


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
    for part in (account, stream, hooks, generations, uploads, operations):
        app.include_router(part.router)
