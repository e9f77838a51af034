"""A command in a real terminal, and what that terminal shows as an SVG."""

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

import pyte
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

COLUMNS, LINES = 118, 24
#: pyte's names for the colours -> rich's.
_COLOURS = {"brown": "yellow", "default": None}


def watch(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    timeout: float,
    on_screen: Callable[[pyte.Screen], None],
) -> int:
    """Run a command in a terminal of its own and return its exit status.

    Arguments:
        timeout: seconds, after which it is killed.
        on_screen: shown the screen whenever it has changed.
    """
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, env=dict(environment), cwd=folder, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    ends = time.monotonic() + timeout
    try:
        while time.monotonic() < ends:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            stream.feed(data)
            on_screen(screen)
        return process.wait(10)
    finally:
        process.kill()
        os.close(ours)


def draw(screen: pyte.Screen, title: str, target: Path, names: Mapping[str, str] | None = None) -> None:
    """Write what the screen shows as an SVG, without the empty lines at its end.

    Arguments:
        names: what stands for a folder of this machine.
    """
    lines = [[screen.buffer[row][column] for column in range(screen.columns)] for row in range(screen.lines)]
    while lines and not "".join(cell.data for cell in lines[-1]).strip():
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for line in lines:
        cells = Segment.simplify(Segment(cell.data, _style(cell)) for cell in line)
        shown = [Segment(_renamed(cell.text, names or {}), cell.style) for cell in cells]
        console.print(Segments([*shown, Segment.line()]), end="")
    console.save_svg(str(target), title=title)


def text(screen: pyte.Screen) -> str:
    """The screen as text."""
    return "\n".join(screen.display)


def _renamed(line: str, names: Mapping[str, str]) -> str:
    for name, shown in names.items():
        line = line.replace(name, shown)
    return line


def _style(cell: pyte.screens.Char) -> Style:
    return Style(color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold, reverse=cell.reverse)


def _colour(name: str) -> str | None:
    if name in _COLOURS:
        return _COLOURS[name]
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return name.replace("bright", "bright_", 1) if name.startswith("bright") else name
