"""What SQLite and Postgres have to do alike: credits for three are three, and a death costs nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import sqlalchemy as sa

from local.runpod import Emulator
from ltx2_studio.database import connect
from tests.studio.conftest import makes_a_video
from tests.studio.small_studio import JOB, KEY, SECRET, running, sqlite


def test_an_order_is_made_and_paid_for_once(runpod: Emulator, database: str) -> None:
    runpod.play(makes_a_video)
    with running(runpod, database, grant=100) as studio, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: studio.ask(f"order-{n % 20:03}"), range(40)))
        made = {answer.json()["id"] for answer in answers if answer.status_code in {200, 201}}
        assert len(made) == 3
        assert {answer.status_code for answer in answers} == {200, 201, 402}
        for generation in made:
            studio.wait_for(generation, "succeeded")
        balance = studio.balance()
        assert (balance.available, balance.held, studio.entries("settle")) == (10, 0, 3)
        assert len(runpod.jobs) == 3


def test_the_tables_are_made_once_and_found_again(database: str) -> None:
    for _ in range(2):
        engine = connect(database)
        assert "one_end_of_a_hold" in {i["name"] for i in sa.inspect(engine).get_indexes("ledger")}
        engine.dispose()


def test_a_killed_backend_goes_on_where_it_was(runpod: Emulator, tmp_path: Path) -> None:
    """kill -9 while a job is in the queue; the next process follows it to its end."""
    database = sqlite(tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BUCKET_")} | {
        "STUDIO_DATABASE": database,
        "STUDIO_SECRET": SECRET,
        "LTX2_ENDPOINT_ID": "an-endpoint",
        "RUNPOD_API_KEY": KEY,
        "LTX2_API_URL": runpod.base_url,
    }
    command = [sys.executable, "-m", "ltx2_studio"]
    made = subprocess.run(
        [*command, "account", "ada", "--credits", "100"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    serve = [*command, "serve", "--port", str(port)]
    first = subprocess.Popen(serve, env=environment)
    try:
        _wait(lambda: requests.get(f"{url}/healthz", timeout=2).ok)
        answer = requests.post(
            f"{url}/api/generations",
            headers=headers | {"Idempotency-Key": "first-order"},
            json={"model": "ltx-2", "input": JOB},
            timeout=30,
        )
        generation = answer.json()["id"]
        shown = f"{url}/api/generations/{generation}"
        _wait(lambda: bool(requests.get(shown, headers=headers, timeout=2).json()["state"] == "queued"))
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    runpod.play(makes_a_video)
    second = subprocess.Popen(serve, env=environment)
    try:

        def done() -> bool:
            return bool(requests.get(shown, headers=headers, timeout=2).json()["state"] == "succeeded")

        _wait(done, 60)
        account = requests.get(f"{url}/api/account", headers=headers, timeout=5).json()
    finally:
        second.terminate()
        second.wait(20)
    assert (account, len(runpod.jobs)) == ({"available": 70, "held": 0}, 1)


def _free_port() -> int:

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except (requests.ConnectionError, KeyError):
            pass
        assert time.monotonic() < end
        time.sleep(0.2)
