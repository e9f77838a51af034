"""A browser that plays this project's videos, for the tests of the page: found on the machine, or brought.

Playwright's own build of Chromium has no H.264 and cannot. Debian's has; so has Google's. Where neither is, the
test command installs Debian's package (as root), or takes the npm package @sparticuz/chromium, which needs no
root.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Names under which a browser lies on the path, the smallest first.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

MISSING = (
    "There is no browser for the tests of the page: install chromium-headless-shell or chromium "
    "(apt-get install chromium-headless-shell), or name one by LTX2_BROWSER."
)

#: No GPU, no network of its own; as root there is no sandbox to be had.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


@dataclass(frozen=True)
class Browser:
    """A browser's program, and how it is started."""

    program: Path
    flags: tuple[str, ...] = FLAGS
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def find() -> Browser | None:
    """The browser that LTX2_BROWSER names, or one on the path."""
    named = os.environ.get("LTX2_BROWSER")
    for name in [named] if named else NAMES:
        if program := shutil.which(name):
            return Browser(Path(program))
    return None
