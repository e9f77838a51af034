"""A backend over real HTTP, in front of the emulated RunPod with scripted workers."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
import uvicorn

from local.runpod import Emulator
from ltx2_client import AsyncClient
from ltx2_studio import ledger
from ltx2_studio.app import create_app
from ltx2_studio.backend import Backend
from ltx2_studio.database import connect
from ltx2_studio.ports import EndpointQueue, Links, ReplyLinks, TokenAuth
from ltx2_studio.settings import Settings
from ltx2_studio.tables import generations
from ltx2_studio.tables import ledger as ledger_table

KEY = "a-key-of-tests"
SECRET = "a-secret-of-tests"
VIDEO = {
    "job_id": "job",
    "mode": "t2v",
    "quality": "fast",
    "preview": False,
    "url": "https://bucket.example/job.mp4",
    "poster_url": "https://bucket.example/job.jpg",
    "width": 1280,
    "height": 720,
    "fps": 24.0,
    "frames": 240,
    "duration": 10.0,
    "bytes": 1000,
    "sha256": "0" * 64,
    "seed": 7,
    "audio": True,
    "credits": 30,
    "warnings": [],
    "timings": {},
    "steps": 8,
    "prompt": "x",
    "versions": {"worker": "0", "engine": "0"},
}
JOB = {"prompt": "A calm sea."}


@dataclass
class Studio:
    """A running backend, and how a page talks to it."""

    url: str
    backend: Backend
    emulator: Emulator
    token: str = "token-of-ada"
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"} | options.pop("headers", {})
        return self.session.request(
            method, f"{self.url}{path}", headers=headers, timeout=30, allow_redirects=False, **options
        )

    def ask(self, key: str, given: dict[str, Any] | None = None, **options: Any) -> requests.Response:
        body = {"model": "ltx-2", "input": given or JOB}
        return self.call("POST", "/api/generations", headers={"Idempotency-Key": key}, json=body, **options)

    def wait_for(self, generation: str, *states: str, seconds: float = 30) -> dict[str, Any]:
        """A generation once it is in one of the states."""
        end = time.monotonic() + seconds
        with self.stream(since=0) as changes:
            for shown in changes:
                if shown["id"] == generation and shown["state"] in states:
                    return shown
                assert time.monotonic() < end, shown
        raise AssertionError("the stream ended")

    @contextmanager
    def stream(self, since: int | None = None) -> Iterator[Iterator[dict[str, Any]]]:
        """The account's changes."""
        ticket = self.call("POST", "/api/generations/ticket").json()["ticket"]
        headers = {} if since is None else {"Last-Event-ID": str(since)}
        address = f"{self.url}/api/generations/events?ticket={ticket}"
        with requests.get(address, headers=headers, stream=True, timeout=30) as answer:
            yield (
                json.loads(line[6:])
                for line in answer.iter_lines(chunk_size=1, decode_unicode=True)
                if line.startswith("data: ")
            )

    def balance(self, account: str = "ada") -> ledger.Balance:
        with self.backend.engine.begin() as db:
            return ledger.balance(db, account)

    def entries(self, kind: str) -> int:
        with self.backend.engine.begin() as db:
            chosen = sa.select(sa.func.count()).where(ledger_table.c.kind == kind)
            return int(db.scalar(chosen.select_from(ledger_table)) or 0)

    def rows(self) -> int:
        with self.backend.engine.begin() as db:
            return int(db.scalar(sa.select(sa.func.count()).select_from(generations)) or 0)


def settings(database: str, **changes: Any) -> Settings:
    return Settings(database=database, secret=SECRET, **changes)


@contextmanager
def running(
    emulator: Emulator,
    database: str,
    *,
    grant: int = 1000,
    links: Links | None = None,
    webhooks: bool = True,
    **changes: Any,
) -> Iterator[Studio]:
    """A backend in front of an emulator; `ada` and `bob` have accounts."""
    server = uvicorn.Server(uvicorn.Config("unused", port=0, log_config=None, timeout_graceful_shutdown=2))
    socket = server.config.bind_socket()
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    chosen = settings(database, public_url=url if webhooks else None, **changes)
    engine = connect(chosen.database)
    auth = TokenAuth(engine)
    with engine.begin() as db:
        known = db.scalar(sa.select(sa.func.count()).select_from(ledger_table))
    if not known:
        for account in ("ada", "bob"):
            with engine.begin() as db:
                ledger.grant(db, account, grant, time.time())
            auth.add(f"token-of-{account}", account)
    client = AsyncClient("an-endpoint", KEY, url=emulator.base_url, journal=None, timeout=5)
    backend = Backend(chosen, engine, auth, EndpointQueue(client, chosen.job_ttl), links or ReplyLinks())
    server.config.app = create_app(backend)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        studio = Studio(url, backend, emulator)
        _wait_until_ready(studio)
        yield studio
    finally:
        server.should_exit = True
        thread.join(20)
        engine.dispose()


def _wait_until_ready(studio: Studio) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            requests.get(f"{studio.url}/healthz", timeout=5)
        except requests.ConnectionError:
            assert time.monotonic() < end
        else:
            return


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'studio.db'}"
