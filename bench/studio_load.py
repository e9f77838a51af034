"""The studio's backend under load: `python -m bench.studio_load`.

2,000 open generations of 20 accounts and 200 event streams; then orders at a steady rate, each timed from
its first byte to its answer, and to the event that tells of it. Backend and emulated RunPod are processes of
their own on this machine, and share its cores with this one.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import requests

from bench.table import Row, markdown
from local.runpod import Emulator, Options, Script, sampling
from ltx2_studio import ledger
from ltx2_studio.database import connect
from ltx2_studio.ports import TokenAuth

ENDPOINT, KEY = "an-endpoint", "a-key-of-a-bench"
ACCOUNTS = 20
WORKERS = 10
JOB_SECONDS = 30.0


class Sessions(threading.local):
    """A connection for each thread."""

    def __init__(self) -> None:
        self.session = requests.Session()


@dataclass
class Load:
    """What is measured, in seconds; `waiting` is when an order began, until a stream tells of it."""

    url: str
    backend: psutil.Process
    posted: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    waiting: dict[str, float] = field(default_factory=dict)

    def order(self, sessions: Sessions, number: int) -> None:
        """Order a video and time the answer."""
        account = f"account-{number % ACCOUNTS}"
        headers = {"Authorization": f"Bearer {account}", "Idempotency-Key": f"order-{number:08}"}
        body = {"model": "ltx-2", "input": {"prompt": f"Waves, number {number}, and gulls over them."}}
        session, began = sessions.session, time.monotonic()
        answer = session.post(f"{self.url}/api/generations", headers=headers, json=body, timeout=30)
        self.posted.append(time.monotonic() - began)
        self.statuses.append(answer.status_code)
        self.waiting.setdefault(answer.json().get("id", ""), began)

    def look(self, sessions: Sessions, number: int) -> None:
        """Look at a page of an account's generations."""
        headers = {"Authorization": f"Bearer account-{number % ACCOUNTS}"}
        session, began = sessions.session, time.monotonic()
        session.get(f"{self.url}/api/generations?limit=30", headers=headers, timeout=30).raise_for_status()
        self.looked.append(time.monotonic() - began)

    async def listen(self, number: int) -> None:
        """Read one stream until cancelled."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        writer.write(
            f"GET /api/generations/events HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer account-{number % ACCOUNTS}\r\n\r\n".encode()
        )
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    began = self.waiting.pop(json.loads(line[6:])["id"], None)
                    if began is not None:
                        self.told.append(time.monotonic() - began)
        finally:
            writer.close()


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.studio_load", description=__doc__)
    parser.add_argument("--open", type=int, default=2000, help="generations that are under way")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0, help="orders in a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the steady load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _emulator() as url:
        database = f"sqlite:///{Path(folder) / 'studio.db'}"
        _accounts(database)
        with _backend(database, url) as load:
            rows = _measure(load, options)
    sys.stdout.write(f"{markdown(rows)}\n")
    return 0


def _measure(load: Load, options: argparse.Namespace) -> list[Row]:
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        sessions = Sessions()
        list(pool.map(lambda n: load.order(sessions, n), range(options.open)))
    filled = time.monotonic() - began
    _wait_until_sent(load)
    sent = time.monotonic() - began
    load.posted.clear()
    load.waiting.clear()
    memory, processor = asyncio.run(_steady(load, options))
    assert set(load.statuses) == {201}, set(load.statuses)
    return [
        Row("generations under way, event streams", f"{options.open:,}, {options.streams}"),
        Row("orders that filled it", f"{options.open / filled:.0f}/s, all sent to RunPod after {sent:.0f} s"),
        Row("orders measured", f"{len(load.posted):,} at {options.rate:g}/s"),
        Row("POST p50, p95, p99, most", _milliseconds(load.posted), "p99 below 100 ms"),
        Row("GET of a page p50, p95, p99, most", _milliseconds(load.looked)),
        Row("POST to its event p50, p95, p99, most", _milliseconds(load.told)),
        Row("backend's processor", f"{processor:.0f} % of a core"),
        Row(
            "backend's memory over the run", f"{' '.join(f'{part / 1e6:.0f}' for part in memory)} MB", "flat"
        ),
    ]


async def _steady(load: Load, options: argparse.Namespace) -> tuple[list[int], float]:
    """Streams, and orders at a rate; the backend's memory and processor meanwhile."""
    loop, sessions, pool = asyncio.get_running_loop(), Sessions(), ThreadPoolExecutor(16)
    streams = [asyncio.create_task(load.listen(number)) for number in range(options.streams)]
    await asyncio.sleep(3)
    memory, work, count = [load.backend.memory_info().rss], [], int(options.rate * options.seconds)
    before, began = load.backend.cpu_times(), loop.time()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / options.rate - loop.time()))
        new = options.open + number
        work.append(loop.run_in_executor(pool, load.order, sessions, new))
        if number % 4 == 0:
            work.append(loop.run_in_executor(pool, load.look, sessions, new))
        if (number + 1) % (count // 4) == 0:
            memory.append(load.backend.memory_info().rss)
    await asyncio.gather(*work)
    after, seconds = load.backend.cpu_times(), loop.time() - began
    await asyncio.sleep(1)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    pool.shutdown()
    return memory, 100 * (after.user + after.system - before.user - before.system) / seconds


def _milliseconds(values: list[float]) -> str:
    ordered = sorted(values) or [0.0]
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.95, 0.99, 1.0)]
    return ", ".join(f"{1000 * value:.0f}" for value in at) + " ms"


def _wait_until_sent(load: Load) -> None:
    end = time.monotonic() + 120
    while True:
        told = requests.get(f"{load.url}/metrics", timeout=10).text
        if 'studio_generations{state="held"} 0.0' in told and '{state="submitting"} 0.0' in told:
            return
        assert time.monotonic() < end, "not all were sent"
        time.sleep(0.5)


def _accounts(database: str) -> None:
    auth = TokenAuth(engine := connect(database))
    for number in range(ACCOUNTS):
        with engine.begin() as db:
            ledger.grant(db, f"account-{number}", 1_000_000, time.time())
        auth.add(f"account-{number}", f"account-{number}")
    engine.dispose()


@contextmanager
def _emulator() -> Iterator[str]:
    """RunPod, in a process of its own, with workers that take half a minute for a video."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_emulate, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join(20)


def _emulate(end: Connection) -> None:
    from tests.studio.small_studio import VIDEO  # noqa: PLC0415 - only this process needs it

    with Emulator(Options(endpoint_id=ENDPOINT, key=KEY)) as runpod:
        runpod.play(
            lambda job: Script(
                JOB_SECONDS, VIDEO | {"job_id": job.id}, progress=sampling(JOB_SECONDS * 0.9, 8)
            ),
            workers=WORKERS,
        )
        end.send(runpod.base_url)
        end.recv()


@contextmanager
def _backend(database: str, runpod: str) -> Iterator[Load]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "STUDIO_DATABASE": database,
        "STUDIO_SECRET": "a-secret-of-a-bench",
        "STUDIO_PUBLIC_URL": url,
        "STUDIO_OPEN_GENERATIONS": "100000",
        "STUDIO_REQUESTS_PER_MINUTE": "100000",
        "STUDIO_LOG_LEVEL": "warning",
        "LTX2_ENDPOINT_ID": ENDPOINT,
        "RUNPOD_API_KEY": KEY,
        "LTX2_API_URL": runpod,
    }
    command = [sys.executable, "-m", "ltx2_studio", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | settings)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{url}/readyz", timeout=2).raise_for_status()
                break
            except requests.RequestException:
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.2)
        yield Load(url, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(main())
