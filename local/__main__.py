"""`python3 -m local`: says so when this Python is the wrong one, and hands over to the commands.

This file alone must be readable for old Pythons (3.8), or they would print a syntax error instead of the
sentence; so it imports the others only when the version is right.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence

OLDEST = (3, 11)
NEWEST = (3, 14)


def wrong_python(version: Sequence[int], which: Callable[[str], str | None] = shutil.which) -> str:
    """Return a sentence when the pinned packages were not made for this Python version, else "".

    Arguments:
        version: major, minor and whatever follows.
        which: finds a program.
    """
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    found = [name for name in names if which(name)]
    advice = f"run the same command with {found[0]}" if found else "install one of these"
    return f"This needs Python 3.11 to 3.14, and this is {version[0]}.{version[1]}: {advice}."


if __name__ == "__main__":
    sentence = wrong_python(sys.version_info[:2])
    if sentence:
        sys.exit(sentence)
    # `python3 path/to/local run` puts this file's own folder on the path, not the one that `local` lies in.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from local.commands import main

    sys.exit(main(sys.argv[1:]))
