"""A bucket on this machine: the real S3 protocol, kept in memory (moto's server)."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from ltx2_client import Bucket

HOST = "127.0.0.1"
NAME = "videos"
_REGION = "us-east-1"


@dataclass(frozen=True)
class LocalBucket:
    """The bucket's address and keys.

    Arguments:
        url: where the server listens.
    """

    url: str
    access_key: str = field(default_factory=lambda: f"LOCAL{secrets.token_hex(8).upper()}")
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def environment(self) -> dict[str, str]:
        """The settings (ltx2_worker/settings) that make a worker deliver into it."""
        return {
            "BUCKET_ENDPOINT_URL": self.url,
            "BUCKET_NAME": NAME,
            "BUCKET_REGION": _REGION,
            "BUCKET_ACCESS_KEY_ID": self.access_key,
            "BUCKET_SECRET_ACCESS_KEY": self.secret_key,
            "LTX2_OUTPUT_DIR": "",
        }

    @property
    def for_callers(self) -> Bucket:
        """The same bucket, as a caller's side knows it."""
        return Bucket(self.url, NAME, SecretStr(self.access_key), SecretStr(self.secret_key), _REGION)


@contextmanager
def local_bucket() -> Iterator[LocalBucket]:
    """Serve an empty bucket on a free port; what is in it ends with it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    try:
        bucket = LocalBucket("http://{}:{}".format(*server.get_host_and_port()))
        boto3.client(
            "s3",
            endpoint_url=bucket.url,
            region_name=_REGION,
            aws_access_key_id=bucket.access_key,
            aws_secret_access_key=bucket.secret_key,
        ).create_bucket(Bucket=NAME)
        yield bucket
    finally:
        server.stop()
