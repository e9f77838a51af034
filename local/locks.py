"""Writes the lock files anew: every package of each environment, direct or not, with its files' hashes."""

from collections.abc import Sequence

from local import comfyui, uv
from local.places import REQUIREMENTS, ROOT
from local.setup import alone
from local.steps import Command, Program, Steps

#: One lock serves every Python from this one on.
OLDEST_PYTHON = "3.11"

#: Each lock, and the wider one whose versions it takes, which is therefore resolved before it.
WIDER = {
    "bootstrap": None,
    "audit": None,
    "test": None,
    "handler": "test",
    "studio": "test",
    "download": "handler",
    "engine-test": None,
    "engine": "engine-test",
}
#: The engine's environment holds what ComfyUI asks for itself.
WITH_COMFYUI = {"engine", "engine-test"}


def write(options: Sequence[str]) -> None:
    """Resolve `requirements/NAME.txt` into `requirements/NAME.lock`, for each name of `WIDER`.

    Versions stay as they are, unless the requirements or the options ask for others.

    Arguments:
        options: of `uv pip compile`, such as `--upgrade-package NAME`.

    Raises:
        Problem: they cannot be resolved, or the package index cannot be reached.
    """
    with alone():
        # What pip is configured with beside its main index may have few of a version's files, so few hashes.
        steps = uv.bring(Steps(), further_indexes=False)
        if not comfyui.is_here():
            steps.run(comfyui.downloading())
            comfyui.finish()
        for name, wider in WIDER.items():
            steps.run(Program(f"lock-{name}", f"Locking {name}", _compile(name, wider, options)))
            steps.progress.say(f"requirements/{name}.lock: written")


def _compile(name: str, wider: str | None, options: Sequence[str]) -> Command:
    """The command that resolves one lock; paths are relative, for they stand in what it writes."""
    folder = REQUIREMENTS.relative_to(ROOT)
    files = [str(folder / f"{name}.txt")]
    if name in WITH_COMFYUI:
        files.append(str((comfyui.FOLDER / "requirements.txt").relative_to(ROOT)))
    bounds = ["--constraints", str(folder / f"{wider}.lock")] if wider else []
    fixed = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes", "--quiet"]
    fixed += ["--custom-compile-command", "python3 -m local lock"]
    output = ["--output-file", str(folder / f"{name}.lock")]
    return uv.uv("pip", "compile", *fixed, *bounds, *output, *options, *files)
