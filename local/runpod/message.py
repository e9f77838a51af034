"""One HTTP exchange without HTTP: what came in, and what is answered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        path: from the root, such as /v2/ltx2/status/ID.
        headers: names in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        body: sent as JSON; None sends nothing.
        undo: called when the answer could not be delivered.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    undo: Callable[[], None] | None = None

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return b"" if self.body is None else json.dumps(self.body).encode()


class HangUp(Exception):  # noqa: N818 - an outcome that a test asked for
    """The connection is closed without an answer."""


def refuse(status: int, why: str) -> Reply:
    """An error in one sentence; RunPod publishes no form for it (decided here)."""
    return Reply(status, {"error": why})
