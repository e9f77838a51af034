"""Where a job's video goes: the first that applies.

A job's own bucket, the operator's bucket, the operator's folder, a mounted network volume, the reply itself
where the operator turned that on, and, off the platform only, a folder where the worker was started.
"""

from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, InvalidRegionError

from ltx2_api.errors import ErrorCode, WorkerError

from ..run_mode import on_runpod
from ..settings import Settings
from .bucket import bucket_from_job, bucket_from_settings
from .folder import FolderStore
from .s3 import S3Store
from .s3_requests import RetryPolicy
from .store import Store

#: Under a network volume's root, which others use too.
_ON_VOLUME = Path("ltx2-worker")


@dataclass(frozen=True)
class Destination:
    """Where a job's video goes.

    Arguments:
        store: None for the reply itself.
        brought_by_job: whether it is the job's own bucket and not the operator's choice.
    """

    store: Store | None
    brought_by_job: bool = False


def operators_destination(settings: Settings, retries: RetryPolicy | None = None) -> Destination | None:
    """Return where the videos of jobs without a bucket of their own go, None where there is no such place.

    Raises `WorkerError(STORAGE_UNAVAILABLE)` for a bucket that is not configured completely or correctly.
    """
    if (bucket := bucket_from_settings(settings)) is not None:
        try:
            return Destination(S3Store(bucket, retries))
        except (ValueError, BotoCoreError) as error:
            setting = "BUCKET_REGION" if isinstance(error, InvalidRegionError) else "BUCKET_ENDPOINT_URL"
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                f"No S3 client can be made for the bucket: correct {setting}.",
                retryable=False,
            ) from error
    if settings.output_dir is not None:
        return Destination(FolderStore(settings.output_dir))
    if settings.volume_dir.is_dir():
        folder = settings.volume_dir / _ON_VOLUME / "output"
        return Destination(FolderStore(folder, "network volume"))
    if settings.inline_base64:
        return Destination(None)
    if on_runpod():
        return None
    return Destination(FolderStore(Path("output")))


def jobs_destination(
    s3_config: object, settings: Settings, retries: RetryPolicy | None = None
) -> Destination:
    """Return the bucket that a job brings as `s3Config`; raises as `bucket_from_job`."""
    bucket = bucket_from_job(s3_config, settings)
    try:
        return Destination(S3Store(bucket, retries), brought_by_job=True)
    except (ValueError, BotoCoreError) as error:
        raise WorkerError(
            ErrorCode.INVALID_INPUT,
            "No S3 client can be made for the bucket of `s3Config`: correct its endpointUrl.",
            field="s3Config",
        ) from error


def outbox_folder(settings: Settings) -> Path:
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
