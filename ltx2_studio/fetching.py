"""Fetching a file by its link: bounded in bytes and in time, and checked where its digest is known."""

import time
from hashlib import sha256
from pathlib import Path

import requests

#: Seconds without a byte, and for the whole file.
TIMEOUT = 30.0
MOST_SECONDS = 300.0
_PIECE = 1 << 20


class FetchFailed(Exception):  # noqa: N818 - what happened
    """The file is not there, not what it should be, or too slow to come."""


def fetch(link: str, to: Path, most_bytes: int, digest: str | None = None) -> None:
    """Fetch a file.

    Arguments:
        digest: its SHA-256, hexadecimal, where that is known.

    Raises:
        FetchFailed: it could not be fetched; what is at `to` is not it.
    """
    end, hashed, size = time.monotonic() + MOST_SECONDS, sha256(), 0
    try:
        with requests.get(link, stream=True, timeout=TIMEOUT) as answer, to.open("wb") as file:
            answer.raise_for_status()
            for piece in answer.iter_content(_PIECE):
                size += file.write(piece)
                hashed.update(piece)
                if size > most_bytes or time.monotonic() > end:
                    raise FetchFailed("too large, or too slow")
    except requests.RequestException as error:
        raise FetchFailed(type(error).__name__) from error
    if digest is not None and hashed.hexdigest() != digest:
        raise FetchFailed("another file than the one that was made")
