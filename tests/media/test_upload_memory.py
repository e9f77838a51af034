"""Delivering a large video costs the worker next to no memory."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from s3_lab import ACCESS_KEY, BUCKET, SECRET_KEY

#: Run alone, so that the peak is this upload's and nothing else's. The first, small one loads what boto3
#: loads once: its code and its description of S3.
UPLOAD = """
import sys
from pathlib import Path
from ltx2_worker.deadline import Deadline
from ltx2_worker.media.delivery.publish import Publisher
from ltx2_worker.settings import Settings

def peak_megabytes():
    # Not ru_maxrss: a child begins with the peak of the process that it was forked from.
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024

publisher = Publisher(Settings())
publisher.deliver("small", "digest", Path(sys.argv[1]), {}, Deadline(300))
before = peak_megabytes()
publisher.deliver("large", "digest", Path(sys.argv[2]), {}, Deadline(300))
print(peak_megabytes() - before)
"""
MOST_MEGABYTES = 40


@pytest.mark.parametrize(
    "megabytes", [60, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_delivering_a_large_video_costs_little_memory(
    s3_server: str, bucket: object, tmp_path: Path, megabytes: int
) -> None:
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    small.write_bytes(b"small")
    noise = random.Random(0)
    with large.open("wb") as file:
        for _ in range(megabytes):
            file.write(noise.randbytes(1_000_000))
    environment = os.environ | {
        "BUCKET_ENDPOINT_URL": s3_server,
        "BUCKET_NAME": BUCKET,
        "BUCKET_ACCESS_KEY_ID": ACCESS_KEY,
        "BUCKET_SECRET_ACCESS_KEY": SECRET_KEY,
        "LTX2_WORK_DIR": str(tmp_path / "work"),
        "LTX2_VOLUME_DIR": str(tmp_path / "no-volume"),
    }
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, str(small), str(large)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < MOST_MEGABYTES
