"""Links to the endpoint's bucket, made when they are asked for, so that none is old; and uploads into it."""

import base64
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.config import Config

from ltx2_api.record import object_name
from ltx2_api.reply import VideoResult
from ltx2_client import Bucket
from ltx2_client.wire import Reply

from .ports import UploadPlace

#: Seconds for which a link works: long enough to play a video that was paused.
LIFETIME = 6 * 3600
UPLOAD_LIFETIME = 900
TIMEOUT = 10.0

#: What may be uploaded, by suffix: start images and control videos.
TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}
#: Bytes that an upload may have.
MOST_BYTES = 200_000_000


class BucketLinks:
    """Links through the bucket's own keys.

    Arguments:
        bucket: the one that the endpoint's worker delivers into.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=bucket.endpoint_url,
            region_name=bucket.region,
            aws_access_key_id=bucket.access_key_id.get_secret_value(),
            aws_secret_access_key=bucket.secret_access_key.get_secret_value(),
            config=Config(signature_version="s3v4", s3={"addressing_style": bucket.addressing}),
        )

    def video(self, job_id: str, reply: VideoResult, name: str | None) -> str | None:
        """See `Links`."""
        shown = {"ResponseContentDisposition": f'attachment; filename="{name}"'} if name else {}
        return self._link("get_object", LIFETIME, Key=self._key(job_id, ".mp4"), **shown)

    def poster(self, job_id: str, reply: VideoResult) -> str | None:
        """See `Links`."""
        if reply.poster_url is None:
            return None
        return self._link("get_object", LIFETIME, Key=self._key(job_id, ".jpg"))

    def record(self, job_id: str) -> VideoResult | None:
        """See `Links`."""
        request = self._bucket.record_request(job_id)
        answer = requests.get(request.url, timeout=TIMEOUT)
        return self._bucket.result(job_id, Reply(answer.status_code, dict(answer.headers), answer.content))

    def upload(self, key: str, bytes_: int, digest: str) -> UploadPlace | None:
        """See `Links`."""
        whole = f"{self._bucket.prefix}uploads/{key}"
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        kind = TYPES[PurePosixPath(key).suffix]
        headers = {
            "Content-Type": kind,
            "Content-Length": str(bytes_),
            "x-amz-checksum-sha256": checksum,
        }
        link = self._link(
            "put_object",
            UPLOAD_LIFETIME,
            Key=whole,
            ContentType=kind,
            ContentLength=bytes_,
            ChecksumSHA256=checksum,
        )
        return UploadPlace(link, headers, f"s3://{self._bucket.name}/{whole}")

    def uploaded(self, key: str) -> str | None:
        """See `Links`."""
        return self._link("get_object", LIFETIME, Key=f"{self._bucket.prefix}uploads/{key}")

    @property
    def origins(self) -> tuple[str, ...]:
        """See `Links`."""
        parts = urlsplit(self._link("get_object", LIFETIME, Key="any"))
        return (f"{parts.scheme}://{parts.netloc}",)

    def _key(self, job_id: str, suffix: str) -> str:
        return f"{self._bucket.prefix}{object_name(job_id)}{suffix}"

    def _link(self, operation: str, lifetime: int, **named: Any) -> str:
        link: str = self._client.generate_presigned_url(
            operation, Params={"Bucket": self._bucket.name} | named, ExpiresIn=lifetime
        )
        return link
