"""The studio's image and its distribution hold what it needs, and what was tested."""

import os
import re
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "studio.Dockerfile").read_text(encoding="utf-8")

SETTINGS = os.environ | {"STUDIO_SECRET": "a-secret-of-a-test", "STUDIO_DATABASE": "sqlite:///studio.db"}


def test_the_base_image_is_the_worker_s() -> None:
    base = re.compile(r"^ARG BASE_IMAGE=(\S+@sha256:[0-9a-f]{64})$", re.MULTILINE)
    worker = base.search((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    studio = base.search(DOCKERFILE)
    assert worker
    assert studio
    assert studio[1] == worker[1]


def test_the_builder_is_sent_what_is_copied() -> None:
    ignored = (ROOT / "docker" / "studio.Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split()}
    assert {name.partition("/")[0] for name in names} == sent
    assert all((ROOT / name).exists() for name in names)


def test_the_lock_holds_the_versions_that_are_tested() -> None:
    def versions(lock: str) -> dict[str, str]:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE))

    studio, tested = versions("studio.lock"), versions("test.lock")
    assert len(studio) > 20
    assert {name: version for name, version in studio.items() if tested.get(name) != version} == {}


@pytest.mark.slow
def test_it_installs_and_serves_in_a_bare_environment(tmp_path: Path) -> None:
    """Needs the package index."""
    venv.create(tmp_path / "bare", with_pip=True)
    binaries = tmp_path / "bare" / "bin"

    def run(program: str, *arguments: object, seconds: float = 60) -> str:
        command = [str(part) for part in (binaries / program, *arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=SETTINGS, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("python", "-m", "pip", "install", "--quiet", ROOT / "ltx2_studio", seconds=500)
    assert len(run("ltx2-studio", "account", "ada")) == 43
    run("python", "-c", "from ltx2_studio.routes import page; assert (page.FOLDER / 'index.html').exists()")
