"""kill -9 of the whole process, with an order in every state that an order can be in."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from local.runpod import LOST_REPLY, Emulator, Job, Route, Script, refused
from ltx2_client import webhook
from tests.studio.small_studio import JOB, KEY, SECRET, VIDEO, sqlite

#: Seconds that the first video takes: until after the kill.
FIRST = 10.0


@dataclass
class Process:
    """A backend in a process of its own."""

    url: str
    token: str

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        answer = requests.request(method, f"{self.url}{path}", headers=headers, timeout=30, **options)
        return answer.json()

    def order(self, key: str) -> str:
        body = {"model": "ltx-2", "input": JOB}
        made = self.call("POST", "/api/generations", headers={"Idempotency-Key": key}, json=body)
        return str(made["id"])

    def state(self, generation: str) -> str:
        return str(self.call("GET", f"/api/generations/{generation}")["state"])


def test_a_killed_backend_ends_every_order_once(runpod: Emulator, tmp_path: Path) -> None:
    def play(job: Job) -> Script:
        return Script(FIRST if len(runpod.jobs) == 1 else 0.2, VIDEO | {"job_id": job.id})

    environment = _environment(runpod, sqlite(tmp_path))
    token = _account(environment)
    with _serving(environment, token) as (first, process):
        runpod.play(play)
        running = first.order("a-running-one")
        _wait(lambda: first.state(running) == "running")
        queued = first.order("a-queued-one")
        _wait(lambda: first.state(queued) == "queued")
        runpod.inject(Route.RUN, LOST_REPLY)
        unknown = first.order("an-unknown-one")
        _wait(lambda: first.state(unknown) == "submitting" and len(runpod.jobs) == 3)
        runpod.inject(Route.RUN, refused(401))
        held = first.order("a-held-one")
        _wait(lambda: len(runpod.seen(Route.RUN)) == 4 and first.state(held) == "held")
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    done = [job for job in runpod.jobs.values() if job.status.is_final]
    runpod.wait_for(lambda: [job for job in runpod.jobs.values() if job.status.is_final], "one is made", 30)
    with _serving(environment, token) as (second, _):
        # RunPod tells of the unknown one three times in 20 s; here it is told at once.
        lost = next(job for job in runpod.jobs.values() if job.submission.input["request_id"] == unknown)
        hook = f"{second.url}/api/generations/hooks/runpod/{webhook.path(SECRET, unknown)}"
        _wait(lambda: lost.status.is_final, 30)
        requests.post(hook, json={"id": lost.id, "status": "COMPLETED", "output": {}}, timeout=10)
        for generation in (running, queued, unknown, held):
            _wait(lambda generation=generation: second.state(generation) == "succeeded", 60)  # type: ignore[misc]
        account = second.call("GET", "/api/account")
        kinds = [line["kind"] for line in second.call("GET", "/api/account/ledger")["items"]]
    assert not done, "the first was made before the kill: make it longer"
    assert account == {"available": 1000 - 4 * 30, "held": 0}
    assert {kind: kinds.count(kind) for kind in kinds} == {"settle": 4, "hold": 4, "grant": 1}
    assert len(runpod.jobs) == 4


def _environment(runpod: Emulator, database: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BUCKET_")}
    return own | {
        "STUDIO_DATABASE": database,
        "STUDIO_SECRET": SECRET,
        "LTX2_ENDPOINT_ID": "an-endpoint",
        "RUNPOD_API_KEY": KEY,
        "LTX2_API_URL": runpod.base_url,
    }


def _account(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "ltx2_studio", "account", "ada", "--credits", "1000"]
    made = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
    return made.stdout.strip()


@contextmanager
def _serving(environment: dict[str, str], token: str) -> Iterator[tuple[Process, "subprocess.Popen[bytes]"]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    serve = [sys.executable, "-m", "ltx2_studio", "serve", "--port", str(port)]
    process = subprocess.Popen(serve, env=environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: requests.get(f"{url}/readyz", timeout=2).ok)
        yield Process(url, token), process
    finally:
        process.kill()
        process.wait(20)


def _wait(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except (requests.ConnectionError, KeyError):
            pass
        assert time.monotonic() < end
        time.sleep(0.1)
