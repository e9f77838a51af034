"""Where a worker cannot work, it says so in one sentence and ends, before it has taken a job."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.runpod import Emulator
from tests.platform.conftest import HANDLER

#: A mount namespace of its own in which shared memory has no room for anything.
FULL = "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/full && exec "


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare or "", "-rm", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="this machine allows no mount namespaces")
def test_full_shared_memory_is_one_sentence(runpod: Emulator, tmp_path: Path) -> None:
    command = FULL + shlex.join([sys.executable, str(HANDLER)])
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command],
        env=os.environ | runpod.environment() | {"LTX2_OUTPUT_DIR": str(tmp_path), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "The worker does not start. Shared memory (/dev/shm) cannot be used: No space left" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not runpod.platform.requests


def test_another_sdk_than_the_one_that_is_known_is_refused(runpod: Emulator, tmp_path: Path) -> None:
    newer = "import runpod; runpod.__version__ = '1.13.0'; import runpy, sys; sys.argv = ['handler.py']; "
    ended = subprocess.run(
        [sys.executable, "-c", f"{newer} runpy.run_path({str(HANDLER)!r}, run_name='__main__')"],
        env=os.environ | runpod.environment() | {"PYTHONPATH": str(HANDLER.parent), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "It was made for runpod 1.12, and 1.13.0 is installed." in ended.stderr
    assert not runpod.platform.requests
