"""Lines that show a newcomer that something happens, and how long it has taken."""

import threading
import time

#: Seconds without a line after which a long step says that it is alive.
SILENCE = 15.0


class Progress:
    """Prints one line per event, with the seconds since it was made; several threads may share it."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print a line."""
        with self._lock:
            print(f"[{self.elapsed:4.0f} s] {text}", flush=True)
