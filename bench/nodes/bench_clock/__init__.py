"""Writes down when the engine begins and ends each prompt and node, in the engine's own process.

ComfyUI loads it as a custom node package that has no nodes. The file is the one that BENCH_CLOCK names: a
line of JSON for each message, with the system's monotonic clock, which all processes of a machine share.
Beside ComfyUI's messages (0.30.0) there are `task_done`, when a prompt's history can be read, and `free`,
when the engine looks for its next prompt.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from comfy.ldm.lightricks.vae import causal_video_autoencoder
from server import PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}

WANTED = frozenset(
    {"execution_start", "execution_cached", "executing", "execution_success", "execution_error"}
)

#: Seconds that each prompt takes longer, for an engine as slow as with real weights.
PAUSE = float(os.environ.get("BENCH_PAUSE", "0"))

#: The size in bytes of the video decoder's chunks, in place of ComfyUI's own; 0 leaves it.
CHUNK_BYTES = int(os.environ.get("BENCH_CHUNK_BYTES", "0"))


class _Clock:
    """Notes what one server's prompts come to."""

    def __init__(self, server: Any, path: Path) -> None:
        self._path = path
        self._prompt = ""
        queue = server.prompt_queue
        self._send, self._get, self._task_done = server.send_sync, queue.get, queue.task_done
        server.send_sync, queue.get, queue.task_done = self.send, self.get, self.task_done

    def send(self, event: Any, data: Any, sid: Any = None) -> None:
        if event in WANTED:
            self._prompt = data["prompt_id"]
            self._note(event, node=data.get("node"), gpu_bytes=_gpu_bytes())
        self._send(event, data, sid)
        if event == "execution_start":
            time.sleep(PAUSE)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        if self._prompt:
            self._note("free")
            self._prompt = ""
        return self._get(*args, **kwargs)

    def task_done(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._task_done(*args, **kwargs)
        self._note("task_done")
        return answer

    def _note(self, event: str, **facts: Any) -> None:
        note = {"at": time.monotonic(), "event": event, "prompt": self._prompt} | facts
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")


def _gpu_bytes() -> int:
    """The most GPU memory in use since the last call: torch's own peak, or what the driver says now."""
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    peak: int = max(torch.cuda.max_memory_reserved(), total - free)
    torch.cuda.reset_peak_memory_stats()
    return peak


if "BENCH_CLOCK" in os.environ:
    _Clock(PromptServer.instance, Path(os.environ["BENCH_CLOCK"]))
if CHUNK_BYTES:
    causal_video_autoencoder.get_max_chunk_size = lambda _: CHUNK_BYTES
