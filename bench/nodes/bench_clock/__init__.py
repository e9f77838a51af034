"""Writes down when the engine begins and ends each prompt and node, in the engine's own process.

ComfyUI loads it as a custom node package that has no nodes. The file is the one that BENCH_CLOCK names: a
line of JSON for each message, with the system's monotonic clock, which all processes of a machine share.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from server import PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}

WANTED = frozenset(
    {"execution_start", "execution_cached", "executing", "execution_success", "execution_error"}
)

#: Seconds that each prompt takes longer, for an engine as slow as with real weights.
PAUSE = float(os.environ.get("BENCH_PAUSE", "0"))


def _install(server: Any, path: Path) -> None:
    send = server.send_sync

    def send_and_note(event: Any, data: Any, sid: Any = None) -> None:
        if event in WANTED:
            note = {
                "at": time.monotonic(),
                "event": event,
                "prompt": data["prompt_id"],
                "node": data.get("node"),
                "gpu_bytes": _gpu_bytes(),
            }
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(note) + "\n")
        send(event, data, sid)
        if event == "execution_start":
            time.sleep(PAUSE)

    server.send_sync = send_and_note


def _gpu_bytes() -> int:
    """The most GPU memory in use since the last call: torch's own peak, or what the driver says now."""
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    peak: int = max(torch.cuda.max_memory_reserved(), total - free)
    torch.cuda.reset_peak_memory_stats()
    return peak


if "BENCH_CLOCK" in os.environ:
    _install(PromptServer.instance, Path(os.environ["BENCH_CLOCK"]))
