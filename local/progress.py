"""Lines that show a newcomer that something happens, and how long it has taken."""

import time


class Progress:
    """Prints one line per event, with the seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"[{time.monotonic() - self._started:4.0f} s] {text}", flush=True)
