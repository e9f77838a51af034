"""One command, one table: what the worker adds to the engine's own time.

    python -m bench                    every figure
    python -m bench overhead idle      some of them
    python -m bench soak --jobs 1000   a longer soak

Needs the environment of the tests and the settings that `python3 -m local bench` makes. A figure is a
difference or a ratio within one run, a median with its range; nothing here passes or fails.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable

from bench import beside, fetching, graphs, idle, memory, overhead, soak, start, stream, switching
from bench.table import Row, markdown
from tests.engine.fixtures import NEEDED


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="What the worker costs.")
    parser.add_argument("--jobs", type=int, default=100, help="of the soak")
    options, names = parser.parse_known_args()
    figures: dict[str, Callable[[], list[Row]]] = {
        "graphs": graphs.rows,
        "start": start.rows,
        "overhead": overhead.rows,
        "beside": beside.rows,
        "idle": idle.rows,
        "memory": memory.rows,
        "fetching": fetching.rows,
        "switching": switching.rows,
        "stream": stream.rows,
        "length": stream.length_rows,
        "soak": lambda: soak.rows(options.jobs),
    }
    if unknown := [name for name in names if name not in figures]:
        parser.error(f"unknown figures: {', '.join(unknown)}; there are {', '.join(figures)}")
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        parser.error(f"set {', '.join(missing)}; `python3 -m local bench` does")
    rows: list[Row] = []
    for name in names or figures:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += figures[name]()
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}\n"
    )
    print(markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
