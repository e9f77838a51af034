"""The endpoint's bucket, for a caller who has its keys: a job's record, and fresh links to its files.

The keys of a job's objects follow from its id alone, and its record is written last. So the record tells what
became of a job after RunPod has forgotten it, and its links never grow old. No I/O: links are computed, and
what is behind them is fetched as anything else.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from ltx2_api.record import object_name, request_name
from ltx2_api.reply import VideoResult

from .errors import NotConfigured
from .strangers import read_json
from .wire import Reply, Request


class _Record(BaseModel):
    """What is read of `NAME.json`."""

    model_config = ConfigDict(extra="ignore")

    job_id: str
    files: dict[str, int]
    sha256: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Bucket:
    """The bucket that an endpoint delivers into; reading keys are enough.

    Arguments:
        endpoint_url: the store's address.
        name: the bucket's.
        access_key_id, secret_access_key: keys that may read.
        region: the store's, where it has any.
        prefix: what every key starts with (the worker's `BUCKET_KEY_PREFIX`).
        lifetime: seconds that links work; S3 allows seven days at most.

    Raises:
        NotConfigured: the package was installed without its `bucket` extra.
    """

    endpoint_url: str
    name: str
    access_key_id: SecretStr
    secret_access_key: SecretStr
    region: str = "us-east-1"
    prefix: str = ""
    lifetime: int = 86_400
    addressing: Literal["auto", "path", "virtual"] = "path"

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> "Bucket | None":
        """The bucket of the variables that the worker takes; None unless address, name and keys are there."""
        needed = ("BUCKET_ENDPOINT_URL", "BUCKET_NAME", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY")
        values = [variables.get(name) for name in needed]
        if not all(values):
            return None
        url, name, access, secret = (str(value) for value in values)
        return cls(
            url,
            name,
            SecretStr(access),
            SecretStr(secret),
            variables.get("BUCKET_REGION") or "us-east-1",
            variables.get("BUCKET_KEY_PREFIX") or "",
        )

    def record_request(self, job_id: str) -> Request:
        """The request for a job's record."""
        return Request("GET", self._link(f"{object_name(job_id)}.json"))

    def request_record(self, request_id: str) -> Request:
        """The request for the record of whichever job was made under a `request_id`."""
        return Request("GET", self._link(f"{request_name(request_id)}.json"))

    def job_id(self, reply: Reply) -> str | None:
        """The job that a record tells of."""
        try:
            return _Record.model_validate_json(reply.body).job_id if reply.status == 200 else None
        except ValidationError:
            return None

    def result(self, job_id: str, reply: Reply) -> VideoResult | None:
        """What a job's record says, with fresh links; None if there is no whole record of this job."""
        if reply.status != 200:
            return None
        name = object_name(job_id)
        try:
            record = _Record.model_validate(read_json(reply.body))
            files = {suffix: f"{name}{suffix}" for suffix in (".mp4", ".jpg", ".webp")}
            return VideoResult.model_validate(
                record.result
                | {
                    "url": self._link(files[".mp4"]),
                    "url_expires_at": (datetime.now(UTC) + timedelta(seconds=self.lifetime)).isoformat(),
                    "poster_url": self._link(files[".jpg"]) if files[".jpg"] in record.files else None,
                    "animation_url": self._link(files[".webp"]) if files[".webp"] in record.files else None,
                    "bytes": record.files[files[".mp4"]],
                    "sha256": record.sha256,
                },
                extra="ignore",
            )
        except (ValueError, KeyError, ValidationError):
            return None

    def _link(self, name: str) -> str:
        link: str = self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self.name, "Key": self.prefix + name}, ExpiresIn=self.lifetime
        )
        return link

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3  # noqa: PLC0415 - an optional part
            from botocore.config import Config  # noqa: PLC0415
        except ImportError as error:
            raise NotConfigured(
                "Reading the bucket needs boto3: pip install 'ltx2-client[bucket]'."
            ) from error
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id.get_secret_value(),
            aws_secret_access_key=self.secret_access_key.get_secret_value(),
            config=Config(signature_version="s3v4", s3={"addressing_style": self.addressing}),
        )
