"""Where a job's video goes, chosen once from the settings and the job: the first that applies.

A job's own bucket, the operator's bucket, the operator's folder, a mounted network volume, the reply itself
where the operator turned that on, and, off the platform only, a folder where the worker was started.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from botocore.exceptions import BotoCoreError, InvalidRegionError

from ltx2_api.errors import ErrorCode, WorkerError

from ..run_mode import on_runpod
from ..settings import Settings
from .bucket import bucket_from_job, bucket_from_settings
from .store import Store
from .store_folder import FolderStore
from .store_s3 import Patience, S3Store

#: Under a network volume's root, which others use too.
_ON_VOLUME = Path("ltx2-worker")


class Where(StrEnum):
    """The kinds of destination, as the reply names them."""

    JOB_BUCKET = "job_bucket"
    BUCKET = "bucket"
    FOLDER = "folder"
    VOLUME = "volume"
    INLINE = "inline"


@dataclass(frozen=True)
class Destination:
    """Where, and the store that is there; none for an inline reply."""

    where: Where
    store: Store | None


def operators_destination(settings: Settings, patience: Patience | None = None) -> Destination | None:
    """Return where videos go that bring no bucket of their own, None where there is no such place.

    Raises `WorkerError(STORAGE_UNAVAILABLE)` for a bucket that is configured by halves, or as none can be.
    """
    if (bucket := bucket_from_settings(settings)) is not None:
        try:
            return Destination(Where.BUCKET, S3Store(bucket, patience))
        except (ValueError, BotoCoreError) as error:
            setting = "BUCKET_REGION" if isinstance(error, InvalidRegionError) else "BUCKET_ENDPOINT_URL"
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"No S3 client can be made for the bucket: correct {setting}.",
                retryable=False,
            ) from error
    if settings.output_dir is not None:
        return Destination(Where.FOLDER, FolderStore(settings.output_dir))
    if settings.volume_dir.is_dir():
        folder = settings.volume_dir / _ON_VOLUME / "output"
        return Destination(Where.VOLUME, FolderStore(folder, "network volume"))
    if settings.inline_base64:
        return Destination(Where.INLINE, None)
    if on_runpod():
        return None
    return Destination(Where.FOLDER, FolderStore(Path("output")))


def jobs_destination(s3_config: object, settings: Settings, patience: Patience | None = None) -> Destination:
    """Return the bucket that a job brings.

    Raises `WorkerError(INVALID_INPUT)` where that must not be, `WorkerError(STORAGE_UNAVAILABLE)` where its
    host name cannot be looked up.
    """
    bucket = bucket_from_job(s3_config, settings)
    try:
        return Destination(Where.JOB_BUCKET, S3Store(bucket, patience))
    except (ValueError, BotoCoreError) as error:
        raise WorkerError(
            ErrorCode.INVALID_INPUT,
            "No S3 client can be made for the bucket of `s3Config`: correct its endpointUrl.",
            field="s3Config",
        ) from error


def spool_folder(settings: Settings) -> Path:
    """Return where undelivered videos wait: beside `work_dir`, which is emptied, if there is no volume."""
    if settings.spool_dir is not None:
        return settings.spool_dir
    if settings.volume_dir.is_dir():
        return settings.volume_dir / _ON_VOLUME / "spool"
    return settings.work_dir.with_name(f"{settings.work_dir.name}-spool")


def nowhere() -> WorkerError:
    """Return the error for a worker on the platform that has no place for a video."""
    return WorkerError(
        ErrorCode.STORAGE_UNAVAILABLE,
        "There is nowhere to put a video: set BUCKET_ENDPOINT_URL, BUCKET_NAME, BUCKET_ACCESS_KEY_ID and "
        "BUCKET_SECRET_ACCESS_KEY, or attach a network volume.",
        retryable=False,
    )
