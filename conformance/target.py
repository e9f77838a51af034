"""The implementation under test: how it is spoken to, and what must hold for every answer."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import requests

CONTRACT = json.loads((Path(__file__).parents[1] / "schema" / "studio.json").read_text(encoding="utf-8"))
JOB = {"prompt": "Waves roll onto a dark beach, and a gull calls."}
FINAL = {"succeeded", "failed", "cancelled", "expired"}
#: Words of the platform behind the API: an answer that holds one says too much.
PLATFORM = ("api.runpod.ai", "RUNPOD_")


@dataclass
class Target:
    """One account's way to the API."""

    url: str
    token: str
    secrets: tuple[str, ...] = ()
    session: requests.Session = field(default_factory=requests.Session)

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Ask, and check what every answer keeps to."""
        sent = {"Authorization": f"Bearer {self.token}"} | dict(headers or {})
        answer = self.session.request(
            method, f"{self.url}{path}", headers=sent, timeout=30, allow_redirects=False, **options
        )
        self.check(answer)
        return answer

    def check(self, answer: requests.Response) -> None:
        """An error is a problem with a code; nothing of the platform is told."""
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text
            matches("Problem", answer.json())
            assert answer.json()["status"] == answer.status_code
        for secret in (*PLATFORM, *self.secrets):
            assert secret not in answer.text, f"{secret} is in the answer of {answer.request.path_url}"

    def order(self, given: Mapping[str, Any] | None = None, key: str | None = None) -> requests.Response:
        """Ask for a video."""
        body = {"model": self.model["id"], "input": dict(JOB if given is None else given)}
        return self.call("POST", "/api/generations", headers={"Idempotency-Key": key or new_key()}, json=body)

    @property
    def model(self) -> dict[str, Any]:
        """The first model that is offered."""
        first: dict[str, Any] = self.call("GET", "/api/generations/models").json()[0]
        return first

    @property
    def dearest(self) -> tuple[dict[str, Any], int]:
        """The dearest video, as a job, and its price."""
        row = max(self.model["prices"], key=lambda price: int(price["credits"]))
        fields = {name: value for name, value in row.items() if name != "credits" and value is not None}
        return JOB | fields, int(row["credits"])

    def balance(self) -> tuple[int, int]:
        """Credits: available, held."""
        account = self.call("GET", "/api/account").json()
        return account["available"], account["held"]

    def get(self, generation: str) -> dict[str, Any]:
        """A generation as it is now."""
        shown: dict[str, Any] = self.call("GET", f"/api/generations/{generation}").json()
        matches("Generation", shown)
        return shown

    def cancel(self, generation: str) -> dict[str, Any]:
        """Cancel a generation, and wait until it has ended."""
        answer = self.call("POST", f"/api/generations/{generation}/cancel")
        assert answer.status_code == 202, answer.text
        return self.wait(generation, FINAL)

    def wait(self, generation: str, states: set[str], seconds: float = 60) -> dict[str, Any]:
        """A generation once it is in one of the states."""
        end = time.monotonic() + seconds
        while (shown := self.get(generation))["state"] not in states:
            assert time.monotonic() < end, f"{shown['state']} after {seconds} s, and not {states}"
            time.sleep(0.25)
        return shown

    def wait_film(self, film: str, seconds: float) -> dict[str, Any]:
        """A film once it has ended."""
        end = time.monotonic() + seconds
        while True:
            shown: dict[str, Any] = self.call("GET", f"/api/films/{film}").json()
            matches("Film", shown)
            if shown["state"] in FINAL:
                return shown
            assert time.monotonic() < end, f"{shown['state']} after {seconds} s"
            time.sleep(0.25)

    @contextmanager
    def stream(self, last: int | None = None) -> Iterator[Iterator[dict[str, Any]]]:
        """The account's changes, as Server-Sent Events: the objects, in order."""
        ticket = self.call("POST", "/api/generations/ticket").json()["ticket"]
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(last)} if last is not None else {})
        address = f"{self.url}/api/generations/events"
        with requests.get(
            address, params={"ticket": ticket}, headers=headers, stream=True, timeout=30
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield _events(answer)


def _events(answer: requests.Response) -> Iterator[dict[str, Any]]:
    event: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.strip()
        elif not line and "data" in event:
            shown = json.loads(event["data"])
            assert event["id"] == str(shown["seq"])
            assert event["event"] == shown["object"]
            if shown["object"] == "generation":
                matches("Generation", shown)
                yield shown
            event = {}


def matches(name: str, value: Any) -> None:
    """Fail unless a value is what the contract's schema of that name says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def new_key() -> str:
    """A key that was not used before."""
    return f"conformance-{uuid.uuid4()}"


def from_environment(name: str = "TOKEN") -> Target:
    """The target that the environment names; raises KeyError."""
    secrets = tuple(filter(None, os.environ.get("SECRETS", "").split(",")))
    return Target(os.environ["BASE_URL"].rstrip("/"), os.environ[name], secrets)
