"""Whether the worker's engine answers: exit code 0 or 1. The image's HEALTHCHECK; standard library only.

The engine listens on a loopback port of its own choosing, which its command line names.
"""

import sys
import urllib.request
from pathlib import Path

TIMEOUT = 5.0


def engine_ports() -> list[int]:
    """Return the ports of the ComfyUI processes that run here."""
    ports = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended meanwhile, or is not ours to look at
            continue
        if "main.py" in words and "--port" in words[:-1]:
            port = words[words.index("--port") + 1]
            if port.isdecimal():
                ports.append(int(port))
    return ports


def answers(port: int) -> bool:
    """Whether ComfyUI's /system_stats says 200 on this port."""
    try:
        address = f"http://127.0.0.1:{port}/system_stats"
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            return bool(response.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if any(answers(port) for port in engine_ports()) else 1)
