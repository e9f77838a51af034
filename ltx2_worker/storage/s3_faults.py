"""What an S3 store's failure means: is it worth another try, and what to tell a person.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; the other stores use the same.
"""

import re

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

from .store import StoreFault

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
