"""Around every request: its answer carries what browsers need; one line and one number are written of it."""

import logging
import time
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

#: Of every answer of the API: it is nobody else's, is what it says it is, and is not framed. Addresses may
#: hold tickets: no page is told of them.
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
_API = "/api/"
#: Seconds; the last bucket but one is what a POST may take at most.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)


class Guard:
    """ASGI middleware.

    Arguments:
        app: what it stands around.
        registry: where the time of requests is counted, by route and status.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._seconds = Histogram(
            "studio_request_seconds",
            "Time until an answer begins",
            ["method", "route", "status"],
            registry=registry,
            buckets=_BUCKETS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], time.monotonic() - began)
                if scope["path"].startswith(_API):
                    given = {name.lower() for name, _ in message["headers"]}
                    more = [(name, value) for name, value in HEADERS.items() if name not in given]
                    message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, answering)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route, and not the address: that may hold a ticket or a webhook's token.
        route = getattr(scope.get("route"), "path", "none")
        self._seconds.labels(scope["method"], route, status).observe(seconds)
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
        }
        log.info("request", extra=fields)
