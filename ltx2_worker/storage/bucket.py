"""Which bucket, from the operator's BUCKET_* variables or from a job's own `s3Config`.

RunPod's users write the endpoint in several ways, with the bucket as the first label of the host
(`https://NAME.s3.eu-west-1.amazonaws.com`), as the path, or not at all; all of them are understood.
"""

import re
import socket
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from runpod.serverless.utils import rp_ssrf

from ltx2_api.errors import ErrorCode, WorkerError

from ..settings import Settings

#: Stores without regions take any; the signature needs one.
_ANY_REGION = "us-east-1"
_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
#: Amazon and Backblaze name the region in the host, and the bucket may stand before it.
_REGIONAL_HOST = re.compile(
    r"(?:(?P<bucket>[a-z0-9._-]+)\.)?s3(?:[.-](?P<region>[a-z0-9-]+))?\.(?P<site>amazonaws\.com|backblazeb2\.com)"
)


@dataclass(frozen=True)
class Bucket:
    """A bucket and how to use it; `url_lifetime` in seconds."""

    name: str
    endpoint_url: str | None
    region: str
    access_key_id: SecretStr
    secret_access_key: SecretStr
    key_prefix: str = ""
    public_url: str | None = None
    url_lifetime: int = 86_400
    addressing: Literal["auto", "path", "virtual"] = "auto"
    checksums: Literal["when_supported", "when_required"] = "when_supported"


class S3Config(BaseModel):
    """A job's own bucket, by RunPod's names for it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    access_id: SecretStr = Field(alias="accessId", min_length=1)
    access_secret: SecretStr = Field(alias="accessSecret", min_length=1)
    bucket_name: str = Field(alias="bucketName", pattern=f"^{_BUCKET_NAME.pattern}$")
    endpoint_url: str = Field(alias="endpointUrl", max_length=500)

    @classmethod
    def parse(cls, raw: object) -> "S3Config":
        """Return what a job brought as `s3Config`; raises `WorkerError(INVALID_INPUT)` with the field."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            field = ".".join(["s3Config", *(str(part) for part in first["loc"])])
        # Outside the handler: the validation error quotes what it refuses, and that may be a secret.
        raise _refused(
            field, f"`{field}` is wrong; `s3Config` is accessId, accessSecret, bucketName and endpointUrl."
        )


def bucket_from_settings(settings: Settings) -> Bucket | None:
    """Return the operator's bucket, None when no BUCKET_* variable names one.

    Raises `WorkerError(STORAGE_UNAVAILABLE)` when some of the variables that it takes are missing or wrong.
    """
    given = {
        "BUCKET_ENDPOINT_URL": settings.bucket_endpoint_url,
        "BUCKET_ACCESS_KEY_ID": settings.bucket_access_key_id,
        "BUCKET_SECRET_ACCESS_KEY": settings.bucket_secret_access_key,
        "BUCKET_NAME": settings.bucket_name,
    }
    if not any(given.values()):
        return None
    if settings.bucket_access_key_id is None or settings.bucket_secret_access_key is None:
        missing = " and ".join(name for name, value in given.items() if "KEY" in name and value is None)
        raise _misconfigured(f"A bucket needs keys: set {missing}.")
    address = _Address.parse(settings.bucket_endpoint_url, settings.bucket_name)
    if address is None:
        raise _misconfigured(
            "BUCKET_ENDPOINT_URL must be an address such as https://s3.eu-west-1.amazonaws.com."
        )
    if address.bucket is None:
        raise _misconfigured("BUCKET_ENDPOINT_URL names no bucket: set BUCKET_NAME.")
    return Bucket(
        name=address.bucket,
        endpoint_url=address.endpoint_url,
        region=settings.bucket_region or address.region or _ANY_REGION,
        access_key_id=settings.bucket_access_key_id,
        secret_access_key=settings.bucket_secret_access_key,
        key_prefix=settings.bucket_key_prefix.lstrip("/"),
        public_url=settings.bucket_public_url,
        url_lifetime=settings.bucket_url_lifetime,
        addressing=settings.bucket_addressing,
        checksums=settings.bucket_checksums,
    )


def bucket_from_job(raw: object, settings: Settings) -> Bucket:
    """Return the bucket that a job brings as `s3Config`.

    The endpoint is a caller's address, so it must be public and spoken to over verified TLS: a name that
    later resolves to a private address has no certificate there. Path addressing keeps the host checked here
    the host that is dialled. The SDK's RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS lifts both, as it does for inputs.

    Raises `WorkerError(INVALID_INPUT)`, with a field, when it is not allowed, not complete or not public;
    `WorkerError(STORAGE_UNAVAILABLE)`, retryable, when its host name cannot be looked up.
    """
    if not settings.allow_job_bucket:
        raise _refused("s3Config", "This endpoint does not take `s3Config`: leave it out.")
    config = S3Config.parse(raw)
    address = _Address.parse(config.endpoint_url, config.bucket_name)
    if address is None or address.endpoint_url is None:
        raise _refused("s3Config.endpointUrl", "`s3Config.endpointUrl` must be an https:// address.")
    _require_public(address.endpoint_url)
    return Bucket(
        name=config.bucket_name,
        endpoint_url=address.endpoint_url,
        region=address.region or _ANY_REGION,
        access_key_id=config.access_id,
        secret_access_key=config.access_secret,
        url_lifetime=settings.bucket_url_lifetime,
        addressing="path",
        checksums=settings.bucket_checksums,
    )


@dataclass(frozen=True)
class _Address:
    """An endpoint URL taken apart."""

    endpoint_url: str | None
    bucket: str | None
    region: str | None

    @classmethod
    def parse(cls, url: str | None, bucket: str | None) -> "_Address | None":
        """Return the parts, None when `url` is not a plain http(s) address."""
        if url is None:
            return cls(None, bucket, None)
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return None
        plain = (
            parts.scheme in {"http", "https"}
            and host
            and not (parts.username or parts.query or parts.fragment)
        )
        folders = [part for part in parts.path.split("/") if part]
        if not plain or len(folders) > 1 or (folders and bucket and folders[0] != bucket):
            return None
        bucket = bucket or (folders[0] if folders else None)
        region = None
        if regional := _REGIONAL_HOST.fullmatch(host):
            bucket, region = bucket or regional["bucket"], regional["region"]
            host = ".".join(part for part in ("s3", region, regional["site"]) if part)
        elif bucket:
            host = host.removeprefix(f"{bucket.lower()}.")
        netloc = f"[{host}]" if ":" in host else host
        return cls(f"{parts.scheme}://{netloc}" + (f":{port}" if port else ""), bucket, region)


def _require_public(endpoint_url: str) -> None:
    parts = urlsplit(endpoint_url)
    try:
        addresses = rp_ssrf.resolve_and_validate(parts.hostname, parts.port or 443)
    except ValueError as error:
        if isinstance(error.__cause__, socket.gaierror):
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                "The host name of `s3Config.endpointUrl` could not be looked up.",
                field="s3Config.endpointUrl",
            ) from error
        raise _refused(
            "s3Config.endpointUrl", "`s3Config.endpointUrl` must be reachable on the public internet."
        ) from error
    private_allowed = not all(rp_ssrf.is_safe_address(address) for address in addresses)
    if parts.scheme != "https" and not private_allowed:
        raise _refused("s3Config.endpointUrl", "`s3Config.endpointUrl` must be an https:// address.")


def _misconfigured(message: str) -> WorkerError:
    return WorkerError(ErrorCode.STORAGE_UNAVAILABLE, message, retryable=False)


def _refused(field: str, message: str) -> WorkerError:
    return WorkerError(ErrorCode.INVALID_INPUT, message, field=field)
