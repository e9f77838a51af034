"""Brings everything that is missing, side by side where it can, and nothing that is there."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local import comfyui, uv, weights
from local.environments import Environment
from local.places import HOME, TEMPORARY
from local.problem import Problem
from local.steps import Steps


def set_up(own: Environment, engine: Environment, named_comfyui: Path | None, *, tiny: bool) -> Path:
    """Make sure that everything is here.

    Arguments:
        own: the environment that the command itself runs in.
        engine: the engine's environment.
        named_comfyui: an existing checkout to use.
        tiny: whether the tiny weights are needed.

    Returns:
        ComfyUI's folder.

    Raises:
        Problem: something failed; what was finished stays and is not done again.
    """
    source = comfyui.check(named_comfyui) if named_comfyui else comfyui.FOLDER
    bring_source = named_comfyui is None and not comfyui.is_here()
    missing = [environment for environment in (own, engine) if not environment.is_ready()]
    make_weights = tiny and not weights.tiny_are_here()
    if not (bring_source or missing or make_weights):
        return source
    with alone():
        steps = Steps()
        check_disk(sum(environment.megabytes for environment in missing))
        if engine in missing:
            steps.progress.say(
                "Setting up in .local, once: one to three minutes on two cores, most of it torch."
            )
        if bring_source or missing:
            _install(missing, uv.bring(steps), bring_source=bring_source)
        if make_weights:
            steps.progress.say("tiny-weights: making them")
            weights.make_tiny(engine.python, source, steps)
        shutil.rmtree(TEMPORARY, ignore_errors=True)
        steps.progress.say("Everything is here.")
    return source


def set_up_only(environment: Environment) -> None:
    """Make sure that one environment is here, for a command that needs no engine.

    Raises:
        Problem: something failed.
    """
    if environment.is_ready():
        return
    with alone():
        steps = Steps()
        check_disk(environment.megabytes)
        _install([environment], uv.bring(steps), bring_source=False)


def _install(missing: Sequence[Environment], steps: Steps, *, bring_source: bool) -> None:
    programs = [environment.installing() for environment in missing]
    programs += [comfyui.downloading()] if bring_source else []
    steps.progress.say("installing, side by side: " + ", ".join(program.name for program in programs))
    steps.run(*(environment.making() for environment in missing))
    steps.run(*programs)
    for environment in missing:
        environment.finish()
    if bring_source:
        comfyui.finish()


def check_disk(megabytes: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        Problem: there is less free than that.
    """
    free = shutil.disk_usage(HOME).free // 1_000_000
    if free < megabytes:
        raise Problem(
            f"Setting up takes {megabytes / 1000:.1f} GB of disk and {free / 1000:.1f} GB are free here: "
            "free some space, or clone the project onto a larger disk."
        )


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second set-up out of the same folder.

    Raises:
        Problem: another command is setting up.
    """
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("Another command is setting up here: wait for it, then run this again.") from None
        yield
