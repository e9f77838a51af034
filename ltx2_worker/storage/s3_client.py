"""A bucket's boto3 client, with its time-outs, and the presigned URLs that it makes."""

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from .bucket import Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS = 5
_SILENCE_SECONDS = 8
#: Parts in flight. s3transfer reads each from the file as it is sent, so this bounds sockets, not memory.
PARALLEL_PARTS = 4
#: A session makes one client at a time (boto3's guide on threads).
_making_clients = threading.Lock()


def s3_client(bucket: Bucket, attempts: int) -> "S3Client":
    """Return a boto3 client for a bucket, with its time-outs.

    Arguments:
        bucket: which, and how to reach it.
        attempts: how often botocore itself sends one HTTP request.

    Raises what boto3 does for an address or region that it does not take: `ValueError`, `BotoCoreError`.
    """
    # Their debug records hold signed headers and URLs, which are as good as keys while they last.
    for name in ("boto3", "botocore", "s3transfer"):
        logging.getLogger(name).setLevel(logging.INFO)
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": bucket.addressing},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_SILENCE_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=PARALLEL_PARTS + 2,
        request_checksum_calculation=bucket.checksums,
        response_checksum_validation=bucket.checksums,
    )
    with _making_clients:
        return _session().client(
            "s3",
            endpoint_url=bucket.endpoint_url,
            region_name=bucket.region,
            aws_access_key_id=bucket.access_key_id.get_secret_value(),
            aws_secret_access_key=bucket.secret_access_key.get_secret_value(),
            config=config,
        )


@cache
def _session() -> boto3.session.Session:
    """One for all clients: it reads S3's description once, which takes ten times as long as a client."""
    return boto3.session.Session()


def presigned_url(client: "S3Client", bucket: Bucket, key: str, seconds: int) -> str:
    """Return a URL that fetches an object without keys for some seconds."""
    return client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket.name, "Key": key}, ExpiresIn=seconds
    )
