"""A bucket as a store: uploads are retried where that can help, and verified; objects are looked up."""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from ltx2_api.errors import Cancelled, WorkerError

from ..deadline import Deadline
from .bucket import Bucket
from .s3_client import presigned_url, s3_client
from .s3_requests import RetryPolicy, code_of, fault_of, in_thread, result_of, retrying, within
from .store import RECORD_BYTES, Digest, Location, StoreFault, digest_of
from .upload import upload

log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: One small request from its first byte to its last.
_REQUEST_SECONDS = 15.0
#: All attempts at one look-up together.
_LOOK_UP_SECONDS = 10.0
#: How much longer than the upload the digest may take, which is computed beside it.
_DIGEST_SECONDS = 60.0
_CHUNK_BYTES = 16 * 1024
_PROBE_KEY = "ltx2-worker-check.txt"
_CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".json": "application/json",
    ".txt": "text/plain",
}
#: A job's files never change under their key, and may hold what only the caller should see.
_CACHE_CONTROL = "private, max-age=31536000, immutable"


class S3Store:
    """One bucket.

    Arguments:
        bucket: which, and how to reach it.
        retries: how a failing one is tried again.

    Raises what boto3 does for an address or region that it does not take: `ValueError`, `BotoCoreError`.
    """

    noun = "bucket"

    def __init__(self, bucket: Bucket, retries: RetryPolicy | None = None) -> None:
        self._bucket = bucket
        self._retries = retries or RetryPolicy()
        self._uploads = s3_client(bucket, self._retries.requests)
        # Small requests are tried again by `retrying` alone, which asks the job's deadline in between.
        self._client = s3_client(bucket, 1)

    def check(self, deadline: Deadline) -> None:
        """Put a few bytes under a fixed key and remove them; a key that may not delete is good enough."""
        self.put_bytes(_PROBE_KEY, b"ltx2-worker", deadline)
        try:
            within(
                _REQUEST_SECONDS,
                lambda: self._client.delete_object(Bucket=self._bucket.name, Key=self._key(_PROBE_KEY)),
                deadline,
            )
        except (WorkerError, Cancelled):
            raise
        except Exception as error:  # noqa: BLE001 - not needed, and worded below
            facts = {"key": _PROBE_KEY, "why": fault_of(error).reason}
            log.info("bucket probe not removed", extra=facts)

    def put_file(
        self,
        name: str,
        source: Path,
        job_id: str,
        deadline: Deadline,
        *,
        expected: Digest | None = None,
    ) -> Digest:
        """Upload a file in parts and make sure that the bucket has what was sent."""
        headers = {
            "ContentType": _content_type(name),
            "CacheControl": _CACHE_CONTROL,
            # Metadata travels as HTTP headers: ASCII only.
            "Metadata": {"job-id": quote(job_id[:256], safe="")},
        }
        # Beside the upload: on a second core it costs no time.
        digesting = in_thread(partial(_expected_digest, source, expected))
        unreadable = StoreFault("was not sent a file that cannot be read", transient=False)

        def attempt() -> Digest:
            if not source.exists() or (digesting.done() and digesting.exception()):
                raise unreadable
            upload(
                self._uploads, self._bucket.name, self._key(name), source, headers=headers, deadline=deadline
            )
            try:
                sent = result_of(digesting, _DIGEST_SECONDS, deadline)
            except OSError:
                raise unreadable from None
            self._verify(name, sent, deadline)
            return sent

        try:
            return retrying(self._retries, "upload", attempt, deadline)
        except StoreFault:
            if digesting.done() and (error := digesting.exception()):
                raise error from None  # the file's fault, not the bucket's
            source.stat()
            raise

    def put_bytes(self, name: str, data: bytes, deadline: Deadline) -> None:
        """Upload a few kilobytes in one request."""

        def put() -> None:
            self._client.put_object(
                Bucket=self._bucket.name, Key=self._key(name), Body=data, ContentType=_content_type(name)
            )

        retrying(self._retries, "put", lambda: within(_REQUEST_SECONDS, put, deadline), deadline)

    def read(self, name: str, deadline: Deadline) -> bytes | None:
        """Return a small object's content, None where there is none or this key may not read."""

        def attempt() -> bytes:
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._key(name))
            with closing(answer["Body"]) as body:
                return _read_small(body, deadline)

        return self._unless_absent("get", attempt, deadline)

    def holds(self, name: str, digest: Digest, deadline: Deadline) -> bool:
        """Whether the object is there and has this size, and this checksum where the store gives one."""
        return bool(self._unless_absent("head", lambda: self._matches(name, digest), deadline))

    def has(self, name: str, deadline: Deadline) -> bool:
        """Whether there is an object under this name; False where this key may not look."""

        def look() -> bool:
            self._client.head_object(Bucket=self._bucket.name, Key=self._key(name))
            return True

        return bool(self._unless_absent("head", look, deadline))

    def location(self, name: str) -> Location:
        """Return the public URL where the bucket has one, else one that works for `url_lifetime` seconds."""
        key = self._key(name)
        if self._bucket.public_url:
            return Location(url=f"{self._bucket.public_url.rstrip('/')}/{quote(key)}", key=key)
        url = presigned_url(self._client, self._bucket, key, self._bucket.url_lifetime)
        expires_at = datetime.now(UTC) + timedelta(seconds=self._bucket.url_lifetime)
        return Location(url=url, key=key, expires_at=expires_at.replace(microsecond=0))

    def _key(self, name: str) -> str:
        return self._bucket.key_prefix + name

    def _verify(self, name: str, sent: Digest, deadline: Deadline) -> None:
        """Make sure that the bucket holds what was sent; raises a transient `StoreFault` if it does not."""
        try:
            matches = within(_REQUEST_SECONDS, lambda: self._matches(name, sent), deadline)
        except ClientError as error:
            code, status = code_of(error)
            if status == 403:
                log.info("upload not verified", extra={"why": "the access key may write but not look"})
                return
            if status == 404 and code != "NoSuchBucket":
                raise StoreFault("took the file and no longer has it", transient=True) from None
            raise
        if not matches:
            raise StoreFault("holds a damaged copy", transient=True)

    def _matches(self, name: str, digest: Digest) -> bool:
        """Compare what the bucket says it holds: the size always, the checksum where it gives one."""
        compare = self._bucket.checksums == "when_supported"
        extra: dict[str, Any] = {"ChecksumMode": "ENABLED"} if compare else {}
        head = self._client.head_object(Bucket=self._bucket.name, Key=self._key(name), **extra)
        # "CHECKSUM-PARTS" for an object of several parts.
        checksum = head.get("ChecksumCRC32", "").partition("-")[0]
        comparable = bool(checksum and digest.crc32)
        return head["ContentLength"] == digest.bytes and (not comparable or checksum in digest.crc32)

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

        return retrying(self._retries, what, attempt, deadline, until)


def _content_type(name: str) -> str:
    return _CONTENT_TYPES[PurePosixPath(name).suffix]


def _expected_digest(source: Path, expected: Digest | None) -> Digest:
    digest = digest_of(source)
    digest.require(expected)
    return digest


def _read_small(body: StreamingBody, deadline: Deadline) -> bytes:
    data = b""
    # By `read`, never the raw response: it maps exceptions, and notices a connection cut short.
    while piece := body.read(_CHUNK_BYTES):
        deadline.check()
        data += piece
        if len(data) > RECORD_BYTES:
            raise StoreFault("holds something else under a record's name", transient=False)
    return data
