"""No request's body is read beyond a limit: whoever sends it has it in this process's memory."""

from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ltx2_client.strangers import whole_number

from .problems import ProblemError, as_response

#: RunPod takes jobs of 10 MB (RunPod's documentation, "Send API requests"); what a webhook brings may be more
#: than twice that.
MOST_BODY_BYTES = 10_000_000
MOST_BYTES = 25_000_000
_HOOKS = "/api/generations/hooks/"


class BodyLimit:
    """Answers 413 as soon as a body is, or says that it is, larger than it may be.

    Arguments:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0").decode("latin-1")
        most = MOST_BYTES if scope["path"].startswith(_HOOKS) else min(MOST_BYTES, MOST_BODY_BYTES)
        if (whole_number(declared) or 0) > most:
            await as_response(_too_large())(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                # The one exception that FastAPI, which reads the body, lets through.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large().problem.detail)
            return message

        await self._app(scope, counted, send)


def _too_large() -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The request is too large: send files as URLs."
    )
