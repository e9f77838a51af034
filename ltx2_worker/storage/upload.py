"""One upload that a deadline can end, without parts left in the bucket: by boto3's transfer manager, where
the file is not small."""

import math
import threading
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from s3transfer.futures import TransferFuture
from s3transfer.subscribers import BaseSubscriber

from ..deadline import Deadline
from .s3_client import PARALLEL_PARTS
from .s3_requests import in_thread, result_of
from .store import PART_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: How long a job waits until its cancelled upload has removed its parts, or a request that is under way has
#: ended; then that goes on in the background.
_CLEAN_UP_SECONDS = 5.0


def upload(
    client: "S3Client", bucket: str, key: str, source: Path, *, headers: dict[str, Any], deadline: Deadline
) -> None:
    """Upload a file, in parts where it is large.

    Arguments:
        client: one with room for `PARALLEL_PARTS`.
        headers: the object's, as boto3's `ExtraArgs`.
        deadline: ends the upload early; the parts that were sent are removed.

    Raises what boto3 does, and what `deadline.check` raises.
    """
    if source.stat().st_size < PART_BYTES:
        _put(client, bucket, key, source.read_bytes(), headers, deadline)
    else:
        _upload_in_parts(client, bucket, key, source, headers, deadline)


def _put(  # noqa: PLR0917
    client: "S3Client", bucket: str, key: str, data: bytes, headers: dict[str, Any], deadline: Deadline
) -> None:
    """Upload in one request: no threads to start, and, unlike for a file, no wait for "100 Continue"."""
    putting = in_thread(lambda: client.put_object(Bucket=bucket, Key=key, Body=data, **headers))
    try:
        result_of(putting, math.inf, deadline)
    finally:
        wait([putting], _CLEAN_UP_SECONDS)


def _upload_in_parts(  # noqa: PLR0917
    client: "S3Client", bucket: str, key: str, source: Path, headers: dict[str, Any], deadline: Deadline
) -> None:
    ended = threading.Event()
    deadline.on_cancel(ended.set)
    config = TransferConfig(
        multipart_threshold=PART_BYTES,
        multipart_chunksize=PART_BYTES,
        max_concurrency=PARALLEL_PARTS,
        preferred_transfer_client="classic",
    )
    manager = create_transfer_manager(client, config)
    try:
        future = manager.upload(str(source), bucket, key, headers, [_OnDone(ended)])
        ended.wait(deadline.remaining())
        if not future.done():
            # Ends the multipart upload on the store's side too, after the parts in flight.
            future.cancel()
            deadline.check()
        future.result()
    finally:
        # A silent store holds the parts in flight for longer than a job may wait for them.
        ending = threading.Thread(target=manager.shutdown, daemon=True, name="end-upload")
        ending.start()
        ending.join(_CLEAN_UP_SECONDS)


class _OnDone(BaseSubscriber):
    """Wakes the thread that waits for an upload."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def on_done(self, future: TransferFuture, **_: Any) -> None:
        self._ended.set()
