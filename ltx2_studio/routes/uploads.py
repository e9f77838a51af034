"""`/api/uploads`: a place in the bucket for a start image or a control video, so that a job stays small."""

import re
import uuid
from http import HTTPStatus
from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from .. import contract
from ..limits import TYPES, most_bytes
from ..problems import ProblemError, no_uploads, not_found
from .common import Account, Viewer, backend_of

router = APIRouter(prefix="/api/uploads", tags=["uploads"])


#: The names that uploads are given here.
_NAME = re.compile(r"[0-9a-z-]{1,80}\.[0-9a-z]{1,5}")


@router.post("", status_code=HTTPStatus.CREATED)
def place(request: Request, account: Account, file: contract.NewUpload) -> contract.Upload:
    """Where to PUT the file; only a file of just this size and digest is taken there."""
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix not in TYPES:
        raise _refused("name", f"must end in one of {', '.join(TYPES)}.")
    most = most_bytes(TYPES[suffix])
    if file.bytes > most:
        raise _refused("bytes", f"must be {most} or less.")
    key = f"{account}/{uuid.uuid4()}{suffix}"
    made = backend_of(request).links.upload(key, file.bytes, file.sha256)
    if made is None:
        raise no_uploads()
    return contract.Upload(put_url=made.put_url, headers=made.headers, url=made.url)


@router.get("/{name}", status_code=HTTPStatus.FOUND, response_class=RedirectResponse)
def uploaded(request: Request, account: Viewer, name: str) -> RedirectResponse:
    """A fresh link to a file that the caller has uploaded, by the last part of its address."""
    if not _NAME.fullmatch(name):
        raise not_found("file")
    link = backend_of(request).links.uploaded(f"{account}/{name}")
    if link is None:
        raise no_uploads()
    return RedirectResponse(link, HTTPStatus.FOUND, {"Cache-Control": "no-store"})


def _refused(field: str, message: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_request",
        f"{field}: {message}",
        faults=[contract.Fault(field=field, message=message)],
    )
