"""The conformance suite, as others run it, against the reference backend on both databases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from local.runpod import Emulator
from tests.studio import small_bucket
from tests.studio.small_studio import KEY, running
from tests.studio.strict_bucket import strict_before

ROOT = Path(__file__).parents[2]


def test_the_reference_conforms(
    runpod: Emulator, database: str, s3_server: str, bucket: S3Client, tmp_path: Path
) -> None:
    runpod.play(small_bucket.Deliveries(bucket, tmp_path, seconds=1.0).script(), workers=2)
    with (
        strict_before(s3_server) as store,
        running(
            runpod,
            database,
            grant=1200,
            links=small_bucket.links(store),
            previews_per_minute=1000,
            open_generations=50,
            requests_per_minute=10_000,
        ) as studio,
    ):
        told = {
            "BASE_URL": studio.url,
            "TOKEN": "token-of-ada",
            "OTHER_TOKEN": "token-of-bob",
            "WORKER": "1",
            "UPLOADS": "1",
            "FILMS": "1",
            "SECRETS": f"{KEY},an-endpoint",
        }
        options = ["-q", "-p", "no:cacheprovider", "--timeout=100"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "conformance", *options],
            cwd=ROOT,
            env=os.environ | told,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        balance = studio.balance()
    assert done.returncode == 0, done.stdout[-6000:]
    assert " skipped" not in done.stdout, done.stdout[-3000:]
    assert balance.held == 0


def test_without_an_address_it_says_what_to_set() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"BASE_URL", "TOKEN"}}
    command = [sys.executable, "-m", "pytest", "conformance", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Set BASE_URL, TOKEN" in done.stderr
