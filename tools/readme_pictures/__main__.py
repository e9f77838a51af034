"""`python -m tools.readme_pictures`: the README's command in a terminal, what it shows and makes.

The picture of a video is the poster of that run, which the tiny random weights made: mist, and said to be so.
"""

import os
import shutil
import sys
from pathlib import Path

import pyte

from tools.readme_pictures import terminal, way

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs/pictures"
COMMAND = "python3 -m local run"
#: This clone's folder, whatever it is called here.
NAMES = {str(ROOT): "~/ltx2-worker"}
#: A first run sets everything up.
TIMEOUT = 1_800.0


def main() -> int:
    """Make all pictures; 1 if the command failed."""
    PICTURES.mkdir(exist_ok=True)
    way.draw(PICTURES / "way-of-a-job.svg")
    last = ""

    def see(screen: pyte.Screen) -> None:
        nonlocal last
        last = terminal.text(screen)
        if "sampling" in last:
            terminal.draw(screen, COMMAND, PICTURES / "running.svg", NAMES)
        elif "Video:" in last:
            terminal.draw(screen, COMMAND, PICTURES / "done.svg", NAMES)

    status = terminal.watch(COMMAND.split(), os.environ | {"TERM": "xterm-256color"}, ROOT, TIMEOUT, see)
    if status:
        sys.stderr.write(last + "\n")
        return 1
    posters = sorted((ROOT / "output").glob("*.jpg"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(posters[-1], PICTURES / "poster-of-random-weights.jpg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
