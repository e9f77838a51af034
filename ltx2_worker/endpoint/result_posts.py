"""A finished job's result reaches the platform: a post that is refused or cut off is tried again.

RunPod's SDK 1.12 posts again only after a 5xx: a 429, a connection that the server has closed meanwhile, or a
time-out drops the result at once (tests/platform/test_sdk_contract.py shows it). The platform may so be given
the same result twice; it is the same to the letter.
"""

import asyncio
import logging
from http import HTTPStatus

from aiohttp import ClientConnectionError, ClientError, ClientResponseError, ClientSession, ClientTimeout
from runpod.serverless.modules import rp_http

log = logging.getLogger(__name__)

TRIES = 8
TRY_SECONDS = 30.0
LONGEST_PAUSE = 8.0

#: Refusals that say "later", not "no".
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


def wrap_sdk() -> None:
    """Let the SDK post through `transmit`; call before it starts its loop."""
    rp_http._transmit = transmit


async def transmit(session: ClientSession, url: str, body: str) -> None:
    """Post progress or a result, with the headers that the SDK sends.

    Arguments:
        session: the SDK's; its X-Request-ID is this post's now, and another job's later.
        body: JSON.

    Raises:
        ClientError: it could not be posted; the SDK writes that into the log.
    """
    headers = {
        "charset": "utf-8",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Request-ID": session.headers.get("X-Request-ID", ""),
    }
    for attempt in range(1, TRIES + 1):
        try:
            async with session.post(
                url,
                data=body,
                headers=headers,
                timeout=ClientTimeout(total=TRY_SECONDS),
                raise_for_status=True,
            ) as response:
                await response.read()
        except (ClientError, TimeoutError) as error:
            if attempt == TRIES or not _may_succeed_later(error):
                raise (
                    error if isinstance(error, ClientError) else ClientConnectionError("no answer")
                ) from error
            # Not the error itself: it shows the request, and with it the platform's key.
            log.warning(
                "a post to the platform is tried again",
                extra={
                    "attempt": attempt,
                    "error": type(error).__name__,
                    "status": getattr(error, "status", None),
                },
            )
            await asyncio.sleep(min(LONGEST_PAUSE, 2.0 ** (attempt - 1)))
        else:
            return


def _may_succeed_later(error: Exception) -> bool:
    if isinstance(error, ClientResponseError):
        return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in _LATER
    return True
