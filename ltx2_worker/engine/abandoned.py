"""Prompts that were cancelled but had not ended when their run had to return: seen off in the background."""

import contextlib
import logging
import threading
import time
from pathlib import Path

from .client import EngineApi, Finished

log = logging.getLogger(__name__)


#: A prompt is looked for at least this long: its submission may have been under way when it was cancelled.
_LINGER_SECONDS = 5.0


class AbandonedPrompts:
    """The abandoned prompts of one boot of the engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}

    def add(self, prompt_id: str) -> None:
        """Take over a prompt."""
        with self._lock:
            self._since[prompt_id] = time.monotonic()

    def poll(self, api: EngineApi, output_dir: Path) -> float:
        """See each prompt off; return for how long the oldest one that still runs has been here, in seconds.

        Raises:
            NoAnswer: the engine gave none.
        """
        with self._lock:
            since = dict(self._since)
        longest = 0.0
        for prompt_id, added in since.items():
            age = time.monotonic() - added
            if not cancel_and_clean(prompt_id, api, output_dir):
                longest = max(longest, age)
            elif age > _LINGER_SECONDS:
                with self._lock:
                    del self._since[prompt_id]
                log.info("abandoned prompt ended", extra={"prompt_id": prompt_id})
        return longest


def cancel_and_clean(prompt_id: str, api: EngineApi, output_dir: Path) -> bool:
    """Cancel a prompt, or, once it has ended, remove every trace of it; return whether it has ended.

    To be called until it has: ComfyUI forgets an interrupt that arrives in the moment in which a prompt
    begins (`execute_async` clears the flag).

    Raises:
        NoAnswer: the engine gave none.
    """
    if prompt_id in api.queue():
        api.cancel(prompt_id)
        return False
    if finished := api.history(prompt_id):
        discard(finished, output_dir)
        api.forget(prompt_id)
    return True


def discard(finished: Finished, output_dir: Path) -> None:
    """Remove what a prompt saved, which nobody will ask for."""
    for path in finished.paths(output_dir):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
