"""The caller's bytes, from a URL or base64, into a file: capped while reading, never longer than allowed."""

import binascii
import math
import socket
import sys
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3
from runpod.serverless.utils import rp_ssrf

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from ..settings import Settings
from ..storage.bucket import bucket_from_settings
from ..storage.s3_client import presigned_url, s3_client
from .isolate import run_isolated

CHUNK = 256 << 10
#: HTTP statuses after which the same request may succeed: RFC 9110 section 15, RFC 6585, and all of 5xx.
TRANSIENT_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Source:
    """A file of the caller's: the input field it came in (for messages), and a URL or else base64."""

    field: str
    url: str | None = None
    base64: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.base64 is None):
            raise ValueError(f"{self.field} needs a URL or base64, not both")


def fetch(source: Source, target: Path, max_bytes: int, deadline: Deadline, settings: Settings) -> None:
    """Write what `source` names to `target`.

    Arguments:
        source: http(s) URL of a public address, s3:// URL of an object in the operator's bucket, or base64,
            bare or as a data URI.
        target: a file name of the worker's own; may be left half written on failure.
        max_bytes: more is refused, as soon as it shows.
        deadline: the job's.
        settings: time-outs and what may be fetched.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field.
        Cancelled: the job was cancelled.
    """
    if source.base64 is not None:
        decode_base64(source.base64, target, source.field, max_bytes)
        return
    url, allow_private = source.url or "", settings.allow_private_urls
    if url.startswith("s3://"):
        url, allow_private = _presigned(url, source.field, settings), True
    timeout = settings.fetch_connect_timeout, settings.fetch_silence_timeout
    run_isolated(
        partial(download, url, target, source.field, max_bytes, timeout),
        environment={"RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS": "1" if allow_private else "0"},
        deadline=deadline,
        seconds=settings.fetch_timeout,
        too_long=_unreachable(
            source.field, f"did not arrive within {settings.fetch_timeout:g} s", retryable=True
        ),
        crashed=_unreachable(source.field, "could not be fetched", retryable=True),
    )


def decode_base64(text: str, target: Path, field: str, max_bytes: int) -> None:
    """Write base64, bare or as a data URI, to `target`; a text too long for `max_bytes` is not decoded."""
    if text[:5].lower() == "data:":
        header, comma, text = text.partition(",")
        if not comma or not header[:200].lower().endswith(";base64"):
            raise _invalid(field, "as a data URI must look like data:<type>;base64,<data>")
    text = "".join(text.split())
    if len(text) * 3 // 4 > max_bytes + 3:
        raise _too_large(field, max_bytes)
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # binascii.Error is one; so is a text that is not ASCII
        raise _invalid(field, "is not valid base64") from error
    if not content:
        raise _invalid(field, "is empty")
    if len(content) > max_bytes:
        raise _too_large(field, max_bytes)
    target.write_bytes(content)


def download(url: str, target: Path, field: str, max_bytes: int, timeout: tuple[float, float]) -> list[str]:
    """Fetch a stranger's URL into `target`, through the SDK's guard against addresses that are not public.

    The guard checks and pins every address on every redirect, but caps neither the time in all nor a server
    that drips its headers, and a name lookup has no time-out: so this runs in a child process.

    Arguments:
        timeout: seconds to connect, seconds of silence.

    Returns:
        No warnings, as `run_isolated` wants it.
    """
    with _answer(url, field, timeout) as response:
        _check_status(response.status_code, field)
        declared = response.headers.get("Content-Length", "")
        # Python reads no integer of more than 4,300 digits.
        if declared.isdecimal() and (len(declared) > len(str(sys.maxsize)) or int(declared) > max_bytes):
            raise _too_large(field, max_bytes)
        try:
            with target.open("wb") as file:
                for chunk in rp_ssrf.iter_content_capped(response, CHUNK, max_bytes):
                    file.write(chunk)
        except rp_ssrf.SSRFError as error:  # the one thing it can mean here: the cap
            raise _too_large(field, max_bytes) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise _unreachable(field, "broke off while it was read", retryable=True) from error
    if target.stat().st_size == 0:
        raise WorkerError(ErrorCode.MEDIA_REJECTED, f"{field} leads to an empty file.", field=field)
    return []


def _presigned(url: str, field: str, settings: Settings) -> str:
    """An http(s) URL for an object of the operator's bucket, which may well be at a private address."""
    bucket = bucket_from_settings(settings)
    scheme = f"s3://{bucket.name}/" if bucket else ""
    key = url.removeprefix(scheme)
    # The HTTP library would resolve `.` and `..` after the URL was signed for the key as it is written.
    if bucket is None or not url.startswith(scheme) or not key or {".", ".."} & set(key.split("/")):
        raise _invalid(field, "as an s3:// URL must name an object in this endpoint's own bucket")
    return presigned_url(s3_client(bucket, 1), bucket, key, math.ceil(settings.fetch_timeout) + 60)


def _answer(url: str, field: str, timeout: tuple[float, float]) -> requests.Response:
    """The response's headers, from a public address; its body is still to be read."""
    try:
        response: requests.Response = rp_ssrf.safe_get(
            url,
            timeout=timeout,
            headers={"Accept-Encoding": "identity", "User-Agent": "ltx2-worker"},
            max_bytes=math.inf,  # the cap is checked by the caller, where it has its own error
        )
    except rp_ssrf.SSRFError as error:
        if isinstance(error.__cause__, socket.gaierror):
            transient = error.__cause__.errno == socket.EAI_AGAIN
            raise _unreachable(field, "names a host that cannot be found", retryable=transient) from error
        raise _invalid(
            field,
            "must be an http(s) URL whose address, redirects (at most 5) included, is public",
        ) from error
    except requests.exceptions.SSLError as error:
        raise _unreachable(field, "names a host without a valid TLS certificate", retryable=False) from error
    except requests.Timeout as error:
        raise _unreachable(field, "did not answer in time", retryable=True) from error
    except requests.exceptions.InvalidURL as error:
        raise _invalid(field, "is not a valid URL") from error
    except requests.exceptions.InvalidHeader as error:
        raise _unreachable(field, "was answered with headers that are not valid", retryable=False) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _unreachable(field, "did not answer", retryable=True) from error
    except ValueError as error:  # a port or a host name that cannot be one
        raise _invalid(field, "is not a valid URL") from error
    return response


def _check_status(status: int, field: str) -> None:
    if status != HTTPStatus.OK:
        transient = status in TRANSIENT_STATUSES or status >= 500
        raise _unreachable(field, f"was answered with HTTP {status}", retryable=transient)


def _invalid(field: str, what: str) -> WorkerError:
    return WorkerError(ErrorCode.INVALID_INPUT, f"{field} {what}.", field=field)


def _too_large(field: str, max_bytes: int) -> WorkerError:
    return WorkerError(
        ErrorCode.MEDIA_REJECTED, f"{field} is larger than {max_bytes / 1_000_000:g} MB.", field=field
    )


def _unreachable(field: str, what: str, *, retryable: bool) -> WorkerError:
    return WorkerError(ErrorCode.MEDIA_UNREACHABLE, f"{field} {what}.", field=field, retryable=retryable)
