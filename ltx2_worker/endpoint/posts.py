"""A post to the platform that is tried again: what the SDK's own is replaced by (`runpod_sdk`).

RunPod's SDK 1.12 posts again after a 5xx only: a 429, a connection that the server has closed meanwhile, or a
time-out drops the result at once (tests/platform/test_sdk_contract.py shows it). The platform may so be given
the same result twice; it is the same to the letter.
"""

import logging
from http import HTTPStatus

from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponse, ClientSession, ClientTimeout
from aiohttp_retry import ExponentialRetry, RetryClient

log = logging.getLogger(__name__)

POST_TRIES = 8
POST_SECONDS = 30.0
#: Half of the first pause, in seconds; each is twice the one before.
FIRST_PAUSE = 0.5
#: Refusals that say "later", not "no"; the SDK's retry knows 5xx only.
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class _LaterAgain(ExponentialRetry):
    """When a post is tried again, and a line in the log for each time."""

    def __init__(self) -> None:
        super().__init__(
            attempts=POST_TRIES,
            start_timeout=FIRST_PAUSE,
            max_timeout=8.0,
            statuses=set(_LATER),
            # By default every exception, among them the one that a refusal for good is.
            exceptions={ClientConnectionError, ClientPayloadError, TimeoutError},
        )

    def get_timeout(self, attempt: int, response: ClientResponse | None = None) -> float:
        # Not the error itself: it shows the request, and with it the platform's key.
        status = response.status if response else None
        log.warning("platform post tried again", extra={"attempt": attempt, "status": status})
        return super().get_timeout(attempt, response)


async def post(session: ClientSession, url: str, body: str) -> None:
    """Post progress or a result until it arrives.

    Arguments:
        session: the SDK's. Its X-Request-ID header names this job now, and may name another job by the time
            of a second try, for the SDK sets it anew for each post; so it is read once.
        url: the platform's.
        body: JSON. Half of a surrogate pair in it, which cannot be sent, becomes a question mark.

    Raises:
        ClientError: it could not be posted; the SDK writes that into its log.
    """
    headers = {
        "charset": "utf-8",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Request-ID": session.headers.get("X-Request-ID", ""),
    }
    try:
        async with RetryClient(session, retry_options=_LaterAgain(), raise_for_status=True).post(
            url,
            data=body.encode(errors="replace"),
            headers=headers,
            timeout=ClientTimeout(total=POST_SECONDS),
        ) as response:
            await response.read()
    except TimeoutError as error:
        raise ClientConnectionError("no answer") from error
