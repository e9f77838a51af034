"""uv, which makes the environments, and pip, which brings uv and ComfyUI's source archive."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from local.places import HOME, REQUIREMENTS, digest, is_stamped, put_stamp
from local.problem import Problem
from local.steps import Command, Program, Steps

FOLDER = HOME / "bootstrap"
#: uv, and the build backend of ComfyUI's archive: pip asks it what the archive holds.
LOCK = REQUIREMENTS / "bootstrap.lock"

#: What pip is told about indexes and networks, and the variable that tells uv the same. uv does not read
#: pip's configuration (uv's documentation, "Compatibility with pip").
_MAIN_INDEX = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
_FURTHER_INDEXES = {"extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
#: Later ones win, as in pip.
_PIP_SECTIONS = ("global", "download", "install", ":env:")


def bring(steps: Steps, *, further_indexes: bool = True) -> Steps:
    """Bring uv, unless it is here.

    Arguments:
        steps: runs what brings it.
        further_indexes: whether uv is to use what pip is configured with beside its main index.

    Returns:
        What runs programs with the variables that uv needs.

    Raises:
        Problem: it cannot be brought.
    """
    if not is_stamped(FOLDER, _stamp()):
        if not can_make_environments(_has_module):
            raise Problem(
                "This Python has neither ensurepip nor pip, so it can make no environment: install it "
                "(on Debian and Ubuntu: apt install python3-venv) or use another Python."
            )
        steps.progress.say("uv: bringing it, to make the environments with")
        shutil.rmtree(FOLDER, ignore_errors=True)
        without = ["--without-pip"] if _has_module("pip") else []
        venv = [sys.executable, "-m", "venv", *without, str(FOLDER)]
        steps.run(Program("uv-venv", "Making uv's environment", venv))
        quiet = ["--progress-bar", "off", "--no-compile"]
        install = pip("install", *quiet, "--require-hashes", "--only-binary", ":all:", "-r", LOCK)
        steps.run(Program("uv", "Installing uv", install))
        put_stamp(FOLDER, _stamp())
    options = {**_MAIN_INDEX, **_FURTHER_INDEXES} if further_indexes else _MAIN_INDEX
    return replace(steps, variables=_variables(options))


def pip(*arguments: str | Path) -> Command:
    """The command that runs pip for uv's environment: this Python's own pip, if it has one."""
    if _has_module("pip"):
        return [sys.executable, "-m", "pip", "--python", FOLDER / "bin" / "python", *arguments]
    return [FOLDER / "bin" / "python", "-m", "pip", *arguments]


def uv(*arguments: str | Path) -> Command:
    """The command that runs uv."""
    return [FOLDER / "bin" / "uv", *arguments]


def _variables(options: Mapping[str, str]) -> Mapping[str, str]:
    command = [str(part) for part in pip("config", "list")]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    own = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    return from_pip(listed, options, os.environ) | cache(os.environ, HOME) | own


def from_pip(configuration: str, options: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Translate pip's configuration into variables for uv.

    Arguments:
        configuration: what `pip config list` prints.
        options: what counts of it, and the variables' names.
        variables: of the environment; what is set there for uv stays as it is.
    """
    # As in pip, every index may have the version asked for: the hashes in the locks say which file is right.
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
    lines = [line.partition("=") for line in configuration.splitlines()]
    for section in _PIP_SECTIONS:
        for key, _, value in lines:
            name, _, option = key.rpartition(".")
            if name == section and option in options:
                found[options[option]] = " ".join(str(ast.literal_eval(value)).split())
    return {name: value for name, value in found.items() if name not in variables}


def cache(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """Put uv's cache into `home` where the user's own cannot be written; pip goes on without one there."""
    if "UV_CACHE_DIR" in variables:
        return {}
    folder = Path(variables.get("XDG_CACHE_HOME") or Path(variables.get("HOME", "/")) / ".cache") / "uv"
    there = next(part for part in (folder, *folder.parents) if part.exists())
    return {} if os.access(there, os.W_OK) else {"UV_CACHE_DIR": str(home / "uv-cache")}


def can_make_environments(has_module: Callable[[str], bool]) -> bool:
    """Tell whether a Python with these modules can make an environment and install into it."""
    return has_module("venv") and (has_module("ensurepip") or has_module("pip"))


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _stamp() -> str:
    return digest([LOCK], sys.version, sys.base_prefix, str(FOLDER))
