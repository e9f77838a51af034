"""What the client's tests start from: RunPod on this machine, scripted workers, a store for their files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.runpod import Emulator, Job, Options, Script
from ltx2_client import Client, Journal
from tests.client.file_server import FileServer, file_server
from tests.client.outputs import video_output

KEY = "rp-key-that-nobody-may-see"
VIDEO = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's own endpoint, key or list of jobs is touched."""
    for name in list(os.environ):
        if name.startswith(("RUNPOD_", "BUCKET_", "LTX2_ENDPOINT", "LTX2_API")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(Options(key=KEY)) as emulator:
        yield emulator


@pytest.fixture
def store() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "ltx2" / "jobs.sqlite")


@pytest.fixture
def client(runpod: Emulator, journal: Journal) -> Iterator[Client]:
    with Client("ltx2", KEY, url=runpod.base_url, journal=journal) as client:
        yield client


@pytest.fixture
def deliver(runpod: Emulator, store: FileServer) -> Callable[..., None]:
    """Let scripted workers deliver `VIDEO` for every job, so many seconds after they took it."""

    def play(job: Job) -> Script:
        path = f"/{job.id}.mp4"
        store.files[path] = VIDEO
        seed = job.input.get("seed", 7)
        output = video_output(job.id, VIDEO, store.link(path), seed=seed)
        return Script(play_seconds[0], output)

    play_seconds = [0.1]

    def start(seconds: float = 0.1, workers: int = 4) -> None:
        play_seconds[0] = seconds
        runpod.play(play, workers)

    return start
