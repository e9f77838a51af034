"""Volumes that are really full or read-only: a video is delivered, kept, or said to be neither."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: Run in a mount namespace of its own, as whose root it may mount.
SCRIPT = """
import json, subprocess, sys
from pathlib import Path
from ltx2_api.errors import WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from tests.storage.deliveries import artifacts

home = Path(sys.argv[1])
video = home / "finished.mp4"
video.write_bytes(b"a finished video" * 4096)  # 64 KB

def mount(name, options):
    folder = home / name
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    return folder

def again(folder, options):
    subprocess.run(["mount", "-o", "remount," + options, "none", str(folder)], check=True)

def attempt(case, job, output, spool):
    settings = Settings(output_dir=output, spool_dir=spool, work_dir=home / "work", volume_dir=home / "none")
    publisher = Publisher(settings)
    def told(work):
        try:
            work()
            return "delivered"
        except WorkerError as error:
            return error.message
    outcomes[case] = told(lambda: publisher.deliver(
        artifacts(video, job), publisher.destination(None), Deadline(60)))
    kept[case] = [e.artifacts.name for e in publisher._outbox.entries()]
    left[case] = sorted(p.name for p in output.rglob("*") if p.is_file())
    return publisher

outcomes, kept, left, later = {}, {}, {}, {}
full = mount("full", "size=16k")
publisher = attempt("full", "one", full, home / "spool-1")
again(full, "size=1m")
later["full"] = publisher.empty_outbox(Deadline(60)), sorted(p.name for p in full.iterdir())
again(full, "size=132k")
small = mount("small", "size=16k")
attempt("both full", "two", small, small)
sealed = mount("sealed", "size=1m")
again(sealed, "ro")
publisher = attempt("read-only", "three", sealed, home / "spool-3")
again(sealed, "rw")
later["read-only"] = publisher.empty_outbox(Deadline(60)), sorted(p.name for p in sealed.iterdir())
outbox = mount("outbox", "size=1m")
none = home / "is-a-file"
none.write_bytes(b"")
publisher = attempt("no folder", "four", none / "videos", outbox)
again(outbox, "ro")
none.unlink()
later["outbox read-only"] = publisher.empty_outbox(Deadline(60)), sorted(
    p.name for p in (none / "videos").iterdir())
attempt("outbox read-only", "five", home / "fine", outbox)
print(json.dumps([outcomes, kept, left, later]))
"""


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare or "", "-rm", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="this machine allows no mount namespaces")
def test_what_is_said_of_a_video_on_a_full_or_read_only_volume_is_true(tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-c", SCRIPT, str(tmp_path)])
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"exec {command}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    outcomes, kept, left, later = json.loads(ended.stdout.splitlines()[-1])
    _check_full(outcomes, kept, left, later)
    assert "it is kept" in outcomes["read-only"]
    assert "Read-only" in outcomes["read-only"]
    assert later["read-only"] == [1, ["three.json", "three.mp4"]]
    # What cannot be removed from an outbox that became read-only is delivered all the same.
    assert kept["no folder"] == ["four"]
    assert later["outbox read-only"] == [1, ["four.json", "four.mp4"]]
    assert outcomes["outbox read-only"] == "delivered"
    assert not [told for told in outcomes.values() if str(tmp_path) in told]


def _check_full(outcomes: Any, kept: Any, left: Any, later: Any) -> None:
    assert "No space left on device; it is kept" in outcomes["full"]
    assert kept["full"] == ["one"]
    assert left["full"] == []
    assert later["full"] == [1, ["one.json", "one.mp4"]]
    assert "it could not be kept" in outcomes["both full"]
    assert kept["both full"] == []
    assert left["both full"] == []
