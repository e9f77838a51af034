"""Links to the endpoint's bucket, made when they are asked for, so that none is old; and uploads into it."""

import base64
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.config import Config

from ltx2_api.record import object_name, request_name
from ltx2_api.reply import VideoResult
from ltx2_client import Bucket
from ltx2_client.wire import Reply

from .limits import TYPES
from .ports import UploadPlace

#: Seconds for which a link works: long enough to play a video that was paused.
LIFETIME = 6 * 3600
UPLOAD_LIFETIME = 900
TIMEOUT = 10.0

#: The names that uploads are given here; none leads out of its account's folder.
_UPLOAD = re.compile(r"[0-9a-z-]{1,80}\.[0-9a-z]{1,5}")


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
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": bucket.addressing},
                connect_timeout=TIMEOUT,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
            ),
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
        whole = f"{self._uploads}{key}"
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        kind = TYPES[PurePosixPath(key).suffix]
        # The length is signed too; whoever sends the file says it, and a browser lets no page say it.
        headers = {"Content-Type": kind, "x-amz-checksum-sha256": checksum}
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
        return self._link("get_object", LIFETIME, Key=f"{self._uploads}{key}")

    def own_upload(self, account: str, url: str) -> str | None:
        """See `Links`."""
        folder = f"s3://{self._bucket.name}/{self._uploads}{account}/"
        name = url.removeprefix(folder)
        return f"{account}/{name}" if url.startswith(folder) and _UPLOAD.fullmatch(name) else None

    @property
    def keeps_files(self) -> bool:
        """See `Links`."""
        return True

    def remove_video(self, job_id: str, request_id: str) -> None:
        """See `Links`."""
        record = f"{self._bucket.prefix}{request_name(request_id)}.json"
        for key in (record, *(self._key(job_id, suffix) for suffix in (".json", ".mp4", ".jpg", ".webp"))):
            self._client.delete_object(Bucket=self._bucket.name, Key=key)

    def keep_film(self, film: str, path: Path) -> None:
        """See `Links`."""
        self._client.upload_file(
            str(path), self._bucket.name, self._film_key(film), ExtraArgs={"ContentType": "video/mp4"}
        )

    def film(self, film: str, name: str | None) -> str | None:
        """See `Links`."""
        shown = {"ResponseContentDisposition": f'attachment; filename="{name}"'} if name else {}
        return self._link("get_object", LIFETIME, Key=self._film_key(film), **shown)

    def remove_film(self, film: str) -> None:
        """See `Links`."""
        self._client.delete_object(Bucket=self._bucket.name, Key=self._film_key(film))

    @property
    def origins(self) -> tuple[str, ...]:
        """See `Links`."""
        parts = urlsplit(self._link("get_object", LIFETIME, Key="any"))
        return (f"{parts.scheme}://{parts.netloc}",)

    @property
    def _uploads(self) -> str:
        return f"{self._bucket.prefix}uploads/"

    def _film_key(self, film: str) -> str:
        return f"{self._bucket.prefix}films/{film}.mp4"

    def _key(self, job_id: str, suffix: str) -> str:
        return f"{self._bucket.prefix}{object_name(job_id)}{suffix}"

    def _link(self, operation: str, lifetime: int, **named: Any) -> str:
        link: str = self._client.generate_presigned_url(
            operation, Params={"Bucket": self._bucket.name} | named, ExpiresIn=lifetime
        )
        return link
