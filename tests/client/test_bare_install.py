"""`pip install ./ltx2_client` in a bare environment is enough, and brings the contract along."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_the_client_alone_installs_and_runs_in_a_bare_environment(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    binaries = tmp_path / "bare" / ("Scripts" if sys.platform == "win32" else "bin")
    installed = subprocess.run(
        [binaries / "python", "-m", "pip", "install", "--quiet", ROOT / "ltx2_client"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "No matching distribution found for hatchling" in installed.stderr:
        pytest.skip("no package index can be reached from here")
    assert installed.returncode == 0, installed.stderr
    told = subprocess.run(
        [binaries / "ltx2", "price", "--quality", "pro", "--duration", "20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(told.stdout)["credits"] == 90
    where = subprocess.run(
        [binaries / "python", "-c", "import ltx2_api, ltx2_client; print(ltx2_api.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert str(tmp_path / "bare") in where.stdout, "the contract came from somewhere else"
