"""A bucket as a store: boto3's managed upload, retried where that can help, verified, cancellable."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import ClientError
from s3transfer.futures import TransferFuture
from s3transfer.subscribers import BaseSubscriber

from ltx2_api.errors import Cancelled, WorkerError

from ..deadline import Deadline
from .bucket import Bucket
from .s3_calls import begun, read_small, result_of, within
from .s3_client import PARALLEL_PARTS, s3_client
from .s3_faults import code_of, detail_of, fault_of
from .store import PART_BYTES, Digest, Link, StoreFault, digest

log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: One small request from its first byte to its last, and all tries of a look-up together.
_REQUEST_SECONDS = 15.0
_LOOK_UP_SECONDS = 10.0
#: A digest takes a second a gigabyte, and as long as the upload where a volume is slow: it has begun with it.
_DIGEST_SECONDS = 60.0
#: How long an upload that must not go on may take to remove its parts; then it does so in the background.
_CLEAN_UP_SECONDS = 5.0
_RECORD_BYTES = 256 * 1024
_PROBE_KEY = "ltx2-worker-check.txt"
#: A job's files never change under their key, and may hold what only the caller should see.
_CACHE_CONTROL = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Patience:
    """How often and how long a failing bucket is tried.

    Arguments:
        requests: attempts at one part of an upload, made by botocore within seconds.
        attempts: attempts at the whole operation, with a doubling wait between them.
        first_wait: seconds before the second attempt.
        seconds: no further attempt is begun after so long.
    """

    requests: int = 3
    attempts: int = 4
    first_wait: float = 1.0
    seconds: float = 90.0


class S3Store:
    """One bucket.

    Arguments:
        bucket: which, and how to reach it.
        patience: how a failing one is tried again.
    """

    noun = "bucket"

    def __init__(self, bucket: Bucket, patience: Patience | None = None) -> None:
        self._bucket = bucket
        self._patience = patience or Patience()
        self._uploads = s3_client(bucket, self._patience.requests)
        # Tried again here alone, where the job's deadline is asked in between.
        self._client = s3_client(bucket, 1)

    def check(self, deadline: Deadline) -> None:
        """Put a few bytes under a fixed key and remove them; a key that may not delete is good enough."""
        self.put_bytes(_PROBE_KEY, b"ltx2-worker", "text/plain", deadline)
        try:
            within(
                _REQUEST_SECONDS,
                lambda: self._client.delete_object(Bucket=self._bucket.name, Key=self._key(_PROBE_KEY)),
                deadline,
            )
        except (WorkerError, Cancelled):
            raise
        except Exception as error:  # noqa: BLE001 - not needed, and worded below
            log.info("the bucket keeps %s: it %s", _PROBE_KEY, fault_of(error).reason)

    def put_file(self, name: str, source: Path, content_type: str, job_id: str, deadline: Deadline) -> Digest:
        """Upload a file in parts and make sure that the bucket has what was sent."""
        extra = {
            "ContentType": content_type,
            "CacheControl": _CACHE_CONTROL,
            # Metadata travels as HTTP headers: ASCII only.
            "Metadata": {"job-id": quote(job_id[:256], safe="")},
        }
        # Beside the upload: on a second core it costs no time. SHA-256 is in the record.
        digesting = begun(partial(digest, source))

        def attempt() -> Digest:
            if _failed(digesting):
                raise StoreFault("was not sent a file that cannot be read", transient=False)
            self._upload(self._key(name), source, extra, deadline)
            sent = result_of(digesting, _DIGEST_SECONDS, deadline)
            self._verify(self._key(name), sent, deadline)
            return sent

        try:
            return self._retrying("upload", attempt, deadline)
        except StoreFault:
            if error := _failed(digesting):
                raise error from None  # no fault of the bucket
            raise

    def put_bytes(self, name: str, data: bytes, content_type: str, deadline: Deadline) -> None:
        """Upload a few kilobytes in one request."""

        def put() -> None:
            self._client.put_object(
                Bucket=self._bucket.name, Key=self._key(name), Body=data, ContentType=content_type
            )

        self._retrying("put", lambda: within(_REQUEST_SECONDS, put, deadline), deadline)

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small object's content, None where there is none or this key may not read."""

        def attempt() -> bytes:
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._key(name))
            with closing(answer["Body"]) as body:
                return read_small(body, _RECORD_BYTES, deadline)

        return self._unless_absent("get", attempt, deadline)

    def size(self, name: str, deadline: Deadline) -> int | None:
        """Return an object's size in bytes, None where there is none or this key may not look."""

        def attempt() -> int:
            return self._client.head_object(Bucket=self._bucket.name, Key=self._key(name))["ContentLength"]

        return self._unless_absent("head", attempt, deadline)

    def link(self, name: str) -> Link:
        """Return the public URL where the bucket has one, else one that works for `url_lifetime` seconds."""
        key = self._key(name)
        if self._bucket.public_url:
            return Link(url=f"{self._bucket.public_url.rstrip('/')}/{quote(key)}")
        url = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket.name, "Key": key},
            ExpiresIn=self._bucket.url_lifetime,
        )
        expires_at = datetime.now(UTC) + timedelta(seconds=self._bucket.url_lifetime)
        return Link(url=url, expires_at=expires_at.replace(microsecond=0))

    def _key(self, name: str) -> str:
        return self._bucket.key_prefix + name

    def _upload(self, key: str, source: Path, extra: dict[str, Any], deadline: Deadline) -> None:
        ended = threading.Event()
        deadline.on_cancel(ended.set)
        config = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=PARALLEL_PARTS,
            preferred_transfer_client="classic",
        )
        manager = create_transfer_manager(self._uploads, config)
        try:
            future = manager.upload(str(source), self._bucket.name, key, extra, [_OnDone(ended)])
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

    def _verify(self, key: str, sent: Digest, deadline: Deadline) -> None:
        """Compare what the bucket says it holds: the size always, the checksum where it gives one."""
        compare = self._bucket.checksums == "when_supported"
        extra: dict[str, Any] = {"ChecksumMode": "ENABLED"} if compare else {}
        try:
            head = within(
                _REQUEST_SECONDS,
                lambda: self._client.head_object(Bucket=self._bucket.name, Key=key, **extra),
                deadline,
            )
        except ClientError as error:
            if code_of(error)[1] == 403:
                log.info("upload not verified: this access key may write to the bucket but not look at it")
                return
            raise
        # "CHECKSUM-PARTS" for an object of several parts.
        checksum = head.get("ChecksumCRC32", "").partition("-")[0]
        if head["ContentLength"] != sent.bytes or checksum not in {"", sent.crc32, sent.crc32_of_parts}:
            raise StoreFault("holds a damaged copy", transient=True)

    def _unless_absent(self, what: str, call: Callable[[], _T], deadline: Deadline) -> _T | None:
        until = time.monotonic() + _LOOK_UP_SECONDS

        def attempt() -> _T | None:
            try:
                return within(until - time.monotonic(), call, deadline)
            except ClientError as error:
                code, status = code_of(error)
                # S3 answers 403 for an absent key when the caller may not list the bucket.
                if code != "NoSuchBucket" and status in {403, 404}:
                    return None
                raise

        return self._retrying(what, attempt, deadline, until)

    def _retrying(self, what: str, call: Callable[[], _T], deadline: Deadline, until: float = math.inf) -> _T:
        until, wait = min(until, time.monotonic() + self._patience.seconds), self._patience.first_wait
        for attempt in range(1, self._patience.attempts + 1):
            deadline.check()
            try:
                return call()
            except (WorkerError, Cancelled):
                raise
            except Exception as error:  # noqa: BLE001 - worded, and raised below
                fault, detail = fault_of(error), detail_of(error)
            log.warning("bucket %s failed, attempt %d: it %s (%s)", what, attempt, fault.reason, detail)
            worn_out = time.monotonic() + wait > until
            if not fault.transient or worn_out or attempt == self._patience.attempts:
                # Outside the handler, so that boto3's exception does not hang on it: its text is the store's.
                raise fault
            # Jitter, so that the workers of an endpoint do not come back to a tired store together.
            deadline.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")


def _failed(digesting: "Future[Digest]") -> BaseException | None:
    """Why a digest could not be taken, if that is known already."""
    return digesting.exception() if digesting.done() else None


class _OnDone(BaseSubscriber):
    """Wakes the thread that waits for an upload."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def on_done(self, future: TransferFuture, **_: Any) -> None:
        self._ended.set()
