"""`ltx2 film`: clips into one film, free of credits and as often as its edit changes."""

import argparse
import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ..client import Client
from ..errors import InvalidJob, NotConfigured
from .exits import Exit
from .following_job import client_for, require_free
from .new_command import NewCommand
from .output import Output


def add(new: NewCommand) -> None:
    """Add the sub-command."""
    parser = new("film", "join clips into one film; costs no credits")
    parser.add_argument("film", type=Path, metavar="FILM.json", help="the edit, see docs/client.md")
    parser.add_argument("--out", type=Path, metavar="FILE.mp4", help="default: FILM.mp4 beside it")
    parser.add_argument("--overwrite", action="store_true", help="replace a film that is there")
    parser.add_argument(
        "--otio", type=Path, metavar="FILE.otio", help="also write the edit for other editors"
    )
    parser.set_defaults(command=_film)


def _film(arguments: argparse.Namespace, output: Output) -> Exit:
    if importlib.util.find_spec("av") is None:
        raise NotConfigured("Films need PyAV: pip install 'ltx2-client[film]'.")
    from .. import film as films  # noqa: PLC0415 - an optional part, and slow to import

    film = films.read_film(arguments.film)
    out = arguments.out or arguments.film.with_suffix(".mp4")
    if arguments.otio and arguments.otio.suffix != ".otio":
        raise InvalidJob(f"{arguments.otio}: the edit's file is to be called something.otio.")
    require_free(out, overwrite=arguments.overwrite)
    with ExitStack() as stack:
        fetch = _fetch(arguments, stack, output)

        def on(done: int, frames: int) -> None:
            output.progress(out.name, 100 * done / frames, f"rendering · frame {done} of {frames}")

        report = films.render(film, out, fetch=fetch, on=on, otio=arguments.otio)
    for note in report.notes:
        output.say(note)
    loudness = asdict(report.loudness)
    data = {key: value for key, value in asdict(report).items() if key != "loudness"} | {"file": str(out)}
    output.result(data | {"loudness": loudness}, str(out))
    return Exit.OK


def _fetch(arguments: argparse.Namespace, stack: ExitStack, output: Output) -> Callable[[str], Path]:
    """What brings the video of a job that a clip names; it is kept beside the film, and brought once."""
    folder: Path = arguments.film.with_suffix(".clips")
    clients: list[Client] = []

    def fetch(job_id: str) -> Path:
        kept = folder / f"{job_id}.mp4"
        if kept.exists():
            return kept
        if not clients:
            clients.append(stack.enter_context(client_for(arguments.endpoint)))
        folder.mkdir(exist_ok=True)
        clients[0].handle(job_id).result().download(kept, on=output.listen)
        return kept

    return fetch
