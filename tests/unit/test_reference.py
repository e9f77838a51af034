"""What the documents say of the code is what the code says."""

import subprocess
import sys
from pathlib import Path

from ltx2_api.errors import EXPLANATIONS, ErrorCode
from tests.project_copy import copy_of_project
from tools.reference import stale

CAMERA = """
[camera_orbit_left]
name = "ltx-2-19b-lora-camera-control-orbit-left.safetensors"
folder = "loras"
repo = "example/orbit-left"
path = "orbit-left.safetensors"
revision = "main"
size = 327_309_208
size_exact = true
licence = "LTX-2 Community License"
sets = ["camera"]
used_by = "camera orbit_left"
layer = "camera-orbit"
families = ["ltx-2"]
camera = "orbit_left"
"""

STALE = "from tools.reference import stale; print(*stale())"

PLAN = """
import os
os.environ["LTX2_DEFAULT_CAMERA"] = "orbit_left"
from ltx2_api.job import JobInput
from ltx2_worker.plan import make_plan
from ltx2_worker.settings import Settings
from ltx2_worker.workflow import needs
job, _ = JobInput.parse({"prompt": "a cat", "camera": "orbit_left"})
print(Settings().default_camera, [need.file.name for need in needs(make_plan(job, installed=lambda _: True))])
"""


def test_schemas_tables_names_and_layers_are_current() -> None:
    assert not stale(), f"out of date: {', '.join(stale())}; run python -m tools.reference"


def test_every_error_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(ErrorCode)


def test_a_new_camera_lora_is_one_table_and_one_command(tmp_path: Path) -> None:
    tree = copy_of_project(tmp_path / "tree")

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with (tree / "ltx2_worker/catalog/files.toml").open("a") as files:
        files.write(CAMERA)
    assert set(python("-c", STALE).split()) == {
        *("ltx2_api/names.json", "docs/deploy.md", "Dockerfile", "docker-bake.hcl"),
    }
    python("-m", "tools.reference")
    assert not python("-c", STALE).split()
    for path in ("schema/input.json", "README.md", ".runpod/hub.json", "Dockerfile"):
        assert "orbit" in (tree / path).read_text(), path
    assert python("-c", PLAN).split()[0] == "orbit_left"
    assert "control-orbit-left.safetensors" in python("-c", PLAN)
