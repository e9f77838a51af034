"""Many model files into one folder: what is missing, is there room, side by side, checked.

A file gathers under <dest>/.incomplete and moves to <dest>/<folder>/<name> when its size and sha256 are
the hub's own: what has its final name is whole. An interrupted run goes on where it stopped.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..catalog.files import ModelFile, ModelLibrary
from .hub import Hub, HubError, NotOnHub, Remote, hash_file

OK, FAILED, DISK_FULL, INTERRUPTED = 0, 1, 3, 130
INCOMPLETE = ".incomplete"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: what it is, what the hub says of it, and where its bytes gather."""

    file: ModelFile
    remote: Remote
    part: Path

    @property
    def arrived(self) -> int:
        """Bytes already on the disk."""
        return self.part.stat().st_size if self.part.exists() else 0


class Downloader:
    """Fetches and checks model files in one folder.

    Arguments:
        hub: where they come from.
        dest: a folder that gets ComfyUI's models layout.
        console: where a person reads.
        jobs: transfers side by side.
    """

    def __init__(self, hub: Hub, dest: Path, console: Console, jobs: int) -> None:
        self.hub = hub
        self.dest = dest
        self.console = console
        self.jobs = jobs
        self.stop = threading.Event()

    def fetch(self, files: Sequence[ModelFile], *, dry_run: bool = False) -> int:
        """Fetch what is missing or has another size than on the hub; return an exit code."""
        remotes, failed = self._lookup(files)
        wanted = [
            Wanted(file, remote, self.dest / INCOMPLETE / f"{file.id}.{remote.sha256[:16]}.part")
            for file, remote in remotes.items()
            if not self._is_here(file, remote)
        ]
        to_come = sum(item.remote.size - item.arrived for item in wanted)
        free = shutil.disk_usage(_existing_parent(self.dest)).free
        self.console.print(
            f"{len(remotes) - len(wanted)} of {len(files)} files are here; "
            f"{len(wanted)} to fetch, {decimal(to_come)}; {decimal(free)} free."
        )
        if to_come > free:
            self.console.print(f"Not enough free disk: {decimal(to_come - free)} short. Nothing was begun.")
            return DISK_FULL
        if dry_run:
            for item in wanted:
                self.console.print(f"would fetch {item.file.relative} ({decimal(item.remote.size)})")
        else:
            failed += self._transfer(wanted)
        return FAILED if failed else OK

    def check(self, files: Sequence[ModelFile]) -> int:
        """Hash every file that is here against the hub; return an exit code."""
        remotes, failed = self._lookup(files)

        def verdict(file: ModelFile, remote: Remote) -> str:
            path = self.dest / file.relative
            if not path.is_file():
                return "is missing"
            if path.stat().st_size != remote.size:
                return f"has {path.stat().st_size} bytes, not {remote.size}"
            digest = hashlib.sha256()
            hash_file(path, self.stop, digest)
            return "is whole" if digest.hexdigest() == remote.sha256 else "is damaged: another sha256"

        def judge(item: tuple[ModelFile, Remote]) -> bool:
            said = verdict(*item)
            self.console.print(f"{item[0].relative} {said}")
            return said == "is whole"

        whole = self._side_by_side(judge, list(remotes.items()))
        return FAILED if failed or not all(whole) else OK

    def _lookup(self, files: Sequence[ModelFile]) -> tuple[Mapping[ModelFile, Remote], int]:
        """Ask the hub for every file; a file that another one replaces may be gone from it."""
        library = ModelLibrary([self.dest])
        ids = {file.id for file in files}

        def ask(file: ModelFile) -> Remote | HubError:
            try:
                return self.hub.lookup(file, self.stop)
            except HubError as error:
                return error

        remotes, failed = {}, 0
        for file, answer in zip(files, self._side_by_side(ask, files), strict=True):
            if isinstance(answer, Remote):
                remotes[file] = answer
            elif isinstance(answer, NotOnHub) and file.replaced_by in ids and library.find(file) is None:
                self.console.print(f"{answer} Left out: {file.replaced_by} serves in its place.")
            else:
                self.console.print(str(answer))
                failed += 1
        return remotes, failed

    def _is_here(self, file: ModelFile, remote: Remote) -> bool:
        path = self.dest / file.relative
        return path.is_file() and path.stat().st_size == remote.size

    def _transfer(self, wanted: Sequence[Wanted]) -> int:
        """Run the transfers with a progress bar; return how many failed."""
        for item in wanted:
            for outdated in set(item.part.parent.glob(f"{item.file.id}.*.part")) - {item.part}:
                outdated.unlink()
        with _progress(self.console) as progress:
            tasks = {
                item: progress.add_task(item.file.name, total=item.remote.size, completed=item.arrived)
                for item in wanted
            }

            def fetch_one(item: Wanted) -> bool:
                try:
                    self.hub.fetch(item.file, item.remote, item.part, self.stop)
                    _finish(item.part, self.dest / item.file.relative)
                except HubError as error:
                    progress.console.print(str(error))
                    return False
                progress.update(tasks[item], completed=item.remote.size)
                progress.console.print(f"fetched {item.file.relative} ({decimal(item.remote.size)})")
                return True

            fetched = self._side_by_side(fetch_one, wanted, lambda: _show_arrivals(progress, tasks))
        return fetched.count(False)

    def _side_by_side(
        self, work: Callable[[T], R], items: Sequence[T], meanwhile: Callable[[], None] = lambda: None
    ) -> list[R]:
        """Do `work` on every item, `jobs` at a time; on Ctrl-C tell the others to stop, and wait for them."""
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            futures: list[Future[R]] = [pool.submit(work, item) for item in items]
            try:
                while wait(futures, timeout=0.25).not_done:
                    meanwhile()
                return [future.result() for future in futures]
            except BaseException:
                self.stop.set()
                pool.shutdown(cancel_futures=True)
                raise


def _finish(part: Path, place: Path) -> None:
    """Give a verified file its final name, whole even after a power cut."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with part.open("rb") as whole:
        os.fsync(whole.fileno())
    part.replace(place)
    with contextlib.suppress(OSError):  # parts of other files may still be in it
        part.parent.rmdir()


def _show_arrivals(progress: Progress, tasks: Mapping[Wanted, TaskID]) -> None:
    for item, task in tasks.items():
        if arrived := item.arrived:
            progress.update(task, completed=arrived)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _existing_parent(path: Path) -> Path:
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
