"""One request to an S3 store: how long it may take, how often it is tried, and what its failure means.

Error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; other stores use the same.
"""

import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from ltx2_api.errors import Cancelled, WorkerError

from ..deadline import Deadline
from .store import StoreFault

log = logging.getLogger(__name__)
_T = TypeVar("_T")

_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_TRANSIENT_CODES = {
    "SlowDown": "is overloaded",
    "ServiceUnavailable": "is overloaded",
    "Throttling": "is overloaded",
    "TooManyRequests": "is overloaded",
    "InternalError": "has an internal error",
    "RequestTimeout": "did not receive the file in time",
    "IncompleteBody": "did not receive the whole file",
    "BadDigest": "received a damaged copy",
    "XAmzContentChecksumMismatch": "received a damaged copy",
    "InvalidPart": "lost a part of the upload",
    "NoSuchUpload": "lost the upload",
    "OperationAborted": "is busy with another request",
}
_PERMANENT_CODES = {
    "InvalidAccessKeyId": "does not know the access key",
    "SignatureDoesNotMatch": "refuses the secret key",
    "ExpiredToken": "says that the access key has expired",
    "TokenRefreshRequired": "says that the access key has expired",
    "InvalidToken": "refuses the access key",
    "RequestTimeTooSkewed": "refuses requests because this worker's clock is wrong",
    "RequestExpired": "refuses requests because this worker's clock is wrong",
    "NoSuchBucket": "does not exist",
    "InvalidBucketName": "has a name that its store does not allow",
    "AccessDenied": "does not allow this access key to do that",
    "AllAccessDisabled": "does not allow this access key to do that",
    "AccountProblem": "is closed by its provider",
    "QuotaExceeded": "is full",
    "EntityTooLarge": "does not take files of this size",
    "PermanentRedirect": "is in another region, or at another address, than set",
    "AuthorizationHeaderMalformed": "is in another region than set",
    "IllegalLocationConstraintException": "is in another region than set",
}
_BY_STATUS = {
    301: "is in another region, or at another address, than set",
    401: "refuses the access key",
    403: "does not allow this access key to do that",
    404: "does not exist",
    507: "is full",
}
_PLAIN_CODE = re.compile(r"[A-Za-z0-9]{1,40}")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a failing bucket is tried.

    Arguments:
        requests: attempts at one part of an upload, made by botocore within seconds.
        attempts: attempts at the whole operation, with a doubling wait between them.
        first_wait: seconds before the second attempt.
        seconds: no further attempt is begun after so many.
    """

    requests: int = 3
    attempts: int = 4
    first_wait: float = 1.0
    seconds: float = 90.0


def retrying(
    policy: RetryPolicy, what: str, call: Callable[[], _T], deadline: Deadline, until: float = math.inf
) -> _T:
    """Return what `call` returns, trying again where that can help.

    Arguments:
        what: the operation, for the log.
        call: the operation; each attempt is a whole one.
        deadline: asked before each attempt, and ends the waits between them.
        until: no attempt is begun after this moment of `time.monotonic()`.

    Raises the last attempt's failure as `StoreFault`; `WorkerError` and `Cancelled` as they are.
    """
    until, wait = min(until, time.monotonic() + policy.seconds), policy.first_wait
    for attempt in range(1, policy.attempts + 1):
        deadline.check()
        try:
            return call()
        except (WorkerError, Cancelled):
            raise
        except Exception as error:  # noqa: BLE001 - worded, and raised below
            fault, detail = fault_of(error), detail_of(error)
        facts = {"request": what, "attempt": attempt, "why": fault.reason, "detail": detail}
        log.warning("bucket request failed", extra=facts)
        worn_out = time.monotonic() + wait > until
        if not fault.transient or worn_out or attempt == policy.attempts:
            # Outside the handler, so that boto3's exception does not hang on it: its text is the store's.
            raise fault
        # Jitter, so that the workers of an endpoint do not come back to a tired store together.
        deadline.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
        wait *= 2
    raise AssertionError("unreachable: the last attempt returns or raises")


def within(seconds: float, call: Callable[[], _T], deadline: Deadline) -> _T:
    """Return what `call` returns, or raise what it raises, if it ends in time.

    Socket time-outs bound the wait for each byte, not the whole request: a store that sends a byte a second
    would hold it for ever. So it runs in a thread of its own, which is left alone when the time is up.

    Arguments:
        seconds: most time that it may take.
        call: one request, harmless if it still reaches the store later.
        deadline: ends the wait early.

    Raises a transient `StoreFault` when the time is up, and what `deadline.check` raises.
    """
    return result_of(in_thread(call), seconds, deadline)


def in_thread(call: Callable[[], _T]) -> "Future[_T]":
    """Start `call` in a thread of its own, for which nobody has to wait."""
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            future.set_exception(error)

    threading.Thread(target=work, daemon=True, name="bucket-request").start()
    return future


def result_of(future: "Future[_T]", seconds: float, deadline: Deadline) -> _T:
    """Return or raise what a call ends with; raises as `within` when it does not end in time."""
    ended = threading.Event()
    future.add_done_callback(lambda _: ended.set())
    deadline.on_cancel(ended.set)
    ended.wait(deadline.remaining(max(0.0, seconds)))
    if not future.done():
        deadline.check()
        raise StoreFault("did not answer in time", transient=True)
    return future.result()


def fault_of(error: BaseException) -> StoreFault:
    """Return the fault that an exception of boto3 stands for.

    Arguments:
        error: what the request raised. Nothing of its text is kept: it may name hosts and keys.
    """
    if isinstance(error, StoreFault):
        return error
    if isinstance(error, ClientError):
        return _of_answer(error)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return StoreFault("did not answer in time", transient=True)
    if isinstance(error, SSLError):
        return StoreFault("cannot be reached over TLS", transient=True)
    if isinstance(error, EndpointConnectionError):
        return StoreFault("cannot be reached", transient=True)
    if isinstance(error, HTTPClientError | IncompleteReadError | ResponseStreamingError | OSError):
        return StoreFault("broke the connection", transient=True)
    if isinstance(error, ResponseParserError):
        return StoreFault("gave an answer that is not S3's", transient=True)
    if isinstance(error, BotoCoreError):
        return StoreFault(f"cannot be used as configured ({type(error).__name__})", transient=False)
    return StoreFault(f"failed unexpectedly ({type(error).__name__})", transient=False)


def code_of(error: ClientError) -> tuple[str, int]:
    """Return S3's error code and the HTTP status of an answer."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # An empty <Code/> is parsed as None, whatever the types say.
    return error.response.get("Error", {}).get("Code") or "", status


def detail_of(error: Exception) -> str:
    """Return what an engineer needs to know of a failure, without its text."""
    if isinstance(error, ClientError):
        code, status = code_of(error)
        return f"{status} {re.sub(r'[^A-Za-z0-9]', '', code)[:40]}"
    return type(error).__name__


def _of_answer(error: ClientError) -> StoreFault:
    code, status = code_of(error)
    if code in _PERMANENT_CODES:
        return StoreFault(_PERMANENT_CODES[code], transient=False)
    if code in _TRANSIENT_CODES:
        return StoreFault(_TRANSIENT_CODES[code], transient=True)
    if status in _TRANSIENT_STATUS:
        return StoreFault(f"answered with HTTP status {status}", transient=True)
    if status in _BY_STATUS:
        return StoreFault(_BY_STATUS[status], transient=False)
    named = code if _PLAIN_CODE.fullmatch(code) else str(status)
    return StoreFault(
        f"refused the request ({named}); a store that does not know S3's checksum headers "
        "needs BUCKET_CHECKSUMS=when_required",
        transient=False,
    )
