"""The ten lines that docs/client.md begins with, as a reader would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local.runpod import Emulator
from ltx2_client.cli.exits import Exit
from tests.client.conftest import KEY, VIDEO

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


def test_the_ten_lines_make_a_video(runpod: Emulator, deliver: Callable[..., None], tmp_path: Path) -> None:
    lines = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert lines and lines[1].count("\n") <= 10
    deliver()
    variables = {
        "LTX2_API_URL": runpod.base_url,
        "LTX2_ENDPOINT_ID": "ltx2",
        "RUNPOD_API_KEY": KEY,
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run(
        [sys.executable, "-c", lines[1]],
        env={**os.environ, **variables},
        cwd=tmp_path,
        timeout=90,
        check=True,
    )
    assert (tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_every_exit_status_is_in_the_docs() -> None:
    listed = re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)
    assert [int(number) for number in listed] == [int(status) for status in Exit]
