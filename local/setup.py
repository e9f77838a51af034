"""Brings everything that is missing, side by side where it can, and nothing that is there."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from local import comfyui, weights
from local.environments import Environment, engine_environment
from local.places import HOME, TEMPORARY
from local.problem import Problem
from local.progress import Progress
from local.steps import Steps


def set_up(handler: Environment, named_comfyui: Path | None, *, tiny: bool) -> tuple[Path, Environment]:
    """Make sure that everything is here.

    Arguments:
        handler: the environment that the command itself needs.
        named_comfyui: an existing checkout to use.
        tiny: whether the tiny weights are needed.

    Returns:
        ComfyUI's folder and the engine's environment.

    Raises:
        Problem: something failed; what was finished stays and is not done again.
    """
    source = comfyui.check(named_comfyui) if named_comfyui else comfyui.FOLDER
    engine = engine_environment(source)
    bring = named_comfyui is None and not comfyui.is_here()
    if not bring and handler.is_ready() and engine.is_ready() and (not tiny or weights.tiny_are_here()):
        return source, engine
    with _alone():
        progress = Progress()
        missing = [handler] if not handler.is_ready() else []
        missing += [engine] if bring or not engine.is_ready() else []
        check_disk(sum(environment.megabytes for environment in missing))
        if engine in missing:
            progress.say("Setting up in .local, once: two to four minutes on two cores, most of it torch.")
        steps = Steps(progress)
        _side_by_side(
            steps,
            lambda: _make_handler(handler, steps),
            lambda: _make_engine(engine, source, steps, bring=bring, tiny=tiny),
        )
        shutil.rmtree(TEMPORARY, ignore_errors=True)
        progress.say("Everything is here.")
    return source, engine


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


def _make_handler(handler: Environment, steps: Steps) -> None:
    if handler.is_ready():
        return
    steps.progress.say(f"{handler.name}: installing its packages")
    handler.create(steps)
    handler.install(steps)
    steps.progress.say(f"{handler.name}: ready")


def _make_engine(engine: Environment, source: Path, steps: Steps, *, bring: bool, tiny: bool) -> None:
    fresh = False
    if bring:
        if not engine.python.exists():
            engine.create(steps)
            fresh = True
        steps.progress.say(f"comfyui: bringing {comfyui.wanted_version()}")
        comfyui.bring(engine.pip, steps)
    if not engine.is_ready():
        if not fresh:
            engine.create(steps)
        steps.progress.say("engine: installing torch and ComfyUI's packages")
        engine.install(steps)
        steps.progress.say("engine: ready")
    if tiny and not weights.tiny_are_here():
        steps.progress.say("tiny-weights: making them")
        weights.make_tiny(engine.python, source, steps)


def _side_by_side(steps: Steps, *jobs: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:  # the first failure, or Ctrl+C, which only this thread hears
            failed = [future for future in futures if future.done() and future.exception()]
            steps.stop()
    for future in failed or futures:
        future.result()


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second set-up out of the same folder."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("Another command is setting up here: wait for it, then run this again.") from None
        yield
