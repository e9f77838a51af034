"""`/api/uploads`: a place in the bucket for a start image or a control video, so that a job stays small."""

import uuid
from http import HTTPStatus
from pathlib import PurePosixPath

from fastapi import APIRouter, Request

from .. import contract
from ..bucket_links import MOST_BYTES, TYPES
from ..problems import ProblemError
from .common import Account, backend_of

router = APIRouter(prefix="/api/uploads", tags=["uploads"])


@router.post("", status_code=HTTPStatus.CREATED)
def place(request: Request, account: Account, file: contract.NewUpload) -> contract.Upload:
    """Where to PUT the file; only a file of just this size and digest is taken there."""
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix not in TYPES:
        raise _refused("name", f"must end in one of {', '.join(TYPES)}.")
    if file.bytes > MOST_BYTES:
        raise _refused("bytes", f"must be {MOST_BYTES} or less.")
    key = f"{account}/{uuid.uuid4()}{suffix}"
    made = backend_of(request).links.upload(key, file.bytes, file.sha256)
    if made is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "no_uploads", "Files cannot be uploaded here: send them as URLs."
        )
    return contract.Upload(put_url=made.put_url, headers=made.headers, url=made.url)


def _refused(field: str, message: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_request",
        f"{field}: {message}",
        faults=[contract.Fault(field=field, message=message)],
    )
