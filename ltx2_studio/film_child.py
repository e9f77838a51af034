"""The process that renders a film, as the backend sees it: started, listened to, ended."""

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

#: Characters of what the process said last that go into the log.
_TAIL = 2000


class RenderFailed(Exception):  # noqa: N818 - what happened
    """The film was not rendered.

    Attributes:
        fault: a sentence for its author; None where it is not the author's.
    """

    def __init__(self, fault: str | None) -> None:
        super().__init__(fault)
        self.fault = fault


async def render(folder: Path, on: Callable[[int], None]) -> dict[str, Any]:
    """Render FOLDER/film.json; what the process reports. When this is cancelled, the process is killed.

    Arguments:
        on: told of the frames that are done.

    Raises:
        RenderFailed: there is no film.
    """
    said = folder / "said.txt"
    with said.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ltx2_studio.film_process", str(folder)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            cwd=folder,
            env=_environment(folder),
        )
    try:
        last: dict[str, Any] = {}
        assert process.stdout is not None
        async for line in process.stdout:
            with suppress(ValueError):
                last = json.loads(line)
                if "done" in last:
                    on(int(last["done"]))
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status == 0 and "report" in last:
        report: dict[str, Any] = last["report"]
        return report
    if "fault" not in last:
        log.error("renderer failed", extra={"status": status, "said": _tail(said)})
    raise RenderFailed(last.get("fault"))


def _environment(folder: Path) -> dict[str, str]:
    """No secret is among these; temporary files lie in the folder, which goes with the film."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(part or str(Path.cwd()) for part in sys.path),
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
    }


def _tail(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
