"""The body of an answer as it arrives, within bounds: nobody can make it last, or grow, for ever."""

import time

import httpx2

from .wire import Unclear

#: No answer of RunPod's is larger: it takes replies of up to 20 MB.
MOST_REPLY_BYTES = 32_000_000
#: A body that brings less than so many bytes in so many seconds has stopped: a stranger may drip for ever.
SLOWEST_BYTES, SLOWEST_SECONDS = 32_768, 60.0


class Body:
    """A body as it arrives, for as long as it does; `Unclear` where a stranger makes it last or grow.

    Arguments:
        most: bytes that it may have.
    """

    def __init__(self, response: httpx2.Response, most: float = float("inf")) -> None:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Unclear("the answer came packed, which was not asked for")
        self._most, self._bytes = most, 0
        self._window, self._since = 0, time.monotonic()
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Keep the next bytes."""
        self.met(piece)
        self._pieces.append(piece)

    def met(self, piece: bytes) -> None:
        """Count the next bytes."""
        self._bytes += len(piece)
        self._window += len(piece)
        if self._bytes > self._most:
            raise Unclear(f"the answer has more than {self._most / 1e6:.0f} MB")
        if self._window >= SLOWEST_BYTES:
            self._window, self._since = 0, time.monotonic()
        elif time.monotonic() - self._since > SLOWEST_SECONDS:
            raise Unclear("the answer came too slowly")

    @property
    def whole(self) -> bytes:
        """What was kept."""
        return b"".join(self._pieces)
