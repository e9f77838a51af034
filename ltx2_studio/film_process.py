"""`python -m ltx2_studio.film_process FOLDER`: renders FOLDER/film.json into FOLDER/film.mp4, and ends.

What strangers uploaded is decoded here, by a process without secrets, with limits of its own. It tells on its
standard output how far it is, a JSON object a line, and last of all a report or a fault. It ends with the
process that started it: its standard input is closed then.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

from ltx2_client.errors import BadFilm
from ltx2_client.film import Report, read_film, render

#: Seconds between two lines.
TELL_EVERY = 0.5
#: Bytes of memory that may be reserved, and of a file.
MOST_MEMORY = 12 << 30
MOST_FILE = 8 << 30
#: Behind the API, on the same machine.
NICENESS = 10


def main(folder: Path) -> int:
    """Render the film of a folder."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, MOST_FILE))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = 0.0

    def on(done: int, _frames: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            _tell({"done": done})

    try:
        report = render(read_film(folder / "film.json"), folder / "film.mp4", on=on)
    except BadFilm as error:
        _tell({"fault": error.message})
        return 1
    _tell({"report": _facts(report)})
    return 0


def _facts(report: Report) -> dict[str, object]:
    silent = report.loudness.is_silent
    return {
        "width": report.width,
        "height": report.height,
        "fps": report.fps,
        "frames": report.frames,
        "duration": report.seconds,
        "loudness": None if silent else round(report.loudness.integrated, 2),
        "true_peak": None if silent else round(report.loudness.true_peak, 2),
        "notes": report.notes,
    }


def _tell(line: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
