"""Films that are due: one at a time, fetched, rendered by a process of its own, and put into the bucket.

A film is leased while it is rendered. A backend that dies leaves a lease that ends, and the next one begins
the film anew; one that cannot be rendered ends as failed after a few tries.
"""

import asyncio
import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from ltx2_api.reply import VideoResult

from . import film_child, films
from .contract import Error
from .fetching import FetchFailed, fetch
from .film_child import RenderFailed
from .film_contract import FILM_FINAL, FilmState, NewFilm
from .film_orders import as_client_film, clips_of
from .films import FilmRow
from .limits import MOST_MUSIC_BYTES
from .ports import Links
from .settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for which a film is one process's, and after which the lease is made longer.
LEASE = 30.0
RENEW_EVERY = 1.0
#: How often a film is begun: a machine may fail under it, or it may fail the machine.
MOST_TRIES = 3
#: What the names of films' folders begin with, in the folder of temporary files.
PREFIX = "ltx2-film-"
_OPEN = [state for state in FilmState if state not in FILM_FINAL]


@dataclass
class Renderer:
    """Renders films, one at a time.

    Attributes:
        clock: seconds since 1970.
        changed: called after every change, to wake who listens.
    """

    engine: sa.Engine
    links: Links
    settings: Settings
    clock: Callable[[], float]
    changed: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._done = 0

    async def render_due(self) -> int:
        """Render the film that has waited longest; returns how many there were."""
        now = self.clock()
        row = await self._within(lambda db: films.begin(db, now, LEASE))
        if row is None:
            return 0
        if row.cancelling:
            await self._finish(row, FilmState.CANCELLED)
        elif row.tries > MOST_TRIES:
            await self._failed(row, "render_failed", "The film could not be rendered.")
        else:
            await self._render(row)
        return 1

    async def cancel(self, row: FilmRow) -> FilmRow:
        """Cancel a film; one that is being rendered ends within a second or two."""
        ended = None
        if row.state is FilmState.QUEUED:
            ended = await self._finish(row, FilmState.CANCELLED, only_from=[FilmState.QUEUED])
        if ended is None:
            await self._within(lambda db: films.flag(db, row.id))
        return await self._within(lambda db: films.get(db, row.id))

    async def _render(self, row: FilmRow) -> None:
        await asyncio.to_thread(self._remove_left)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        work = asyncio.create_task(self._made(row, folder))
        watch = asyncio.create_task(self._watch(row, work))
        try:
            async with asyncio.timeout(self.settings.film_timeout):
                await asyncio.wait({work})
            result = work.result()
        except TimeoutError:
            await self._failed(row, "film_too_slow", "The film took too long to render.")
        except asyncio.CancelledError:
            if not work.cancelled():
                raise  # the backend ends: the next one begins the film anew
            await self._finish(row, FilmState.CANCELLED)
        except (RenderFailed, FetchFailed) as error:
            fault = (
                error.fault if isinstance(error, RenderFailed) else "A clip or the music cannot be fetched."
            )
            log.warning("film not rendered", extra={"film": row.id, "error": type(error).__name__})
            await self._failed(row, "film_failed", fault or "The film could not be rendered.")
        else:
            await self._finish(row, FilmState.SUCCEEDED, result=result, error=None)
        finally:
            for task in (watch, work):
                task.cancel()
            await asyncio.wait({watch, work})
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _made(self, row: FilmRow, folder: Path) -> dict[str, Any]:
        """Fetch, render and keep a film; its facts."""
        edit = NewFilm.model_validate(row.edit)
        await asyncio.to_thread(self._fetch, row, edit, folder)

        def on(done: int) -> None:
            self._done = done

        report = await film_child.render(folder, on)
        film = folder / "film.mp4"

        def keep() -> dict[str, Any]:
            with film.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.links.keep_film(row.id, film)
            return {"bytes": film.stat().st_size, "sha256": digest}

        return report | await asyncio.to_thread(keep)

    def _remove_left(self) -> None:
        """Remove the folders of backends that were killed."""
        oldest = time.time() - self.settings.film_timeout - 3600
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with suppress(OSError):
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    def _fetch(self, row: FilmRow, edit: NewFilm, folder: Path) -> None:
        """Bring clips and music into the folder, and write `film.json` beside them."""
        with self.engine.begin() as db:
            rows = clips_of(db, row.account, edit)
        names: list[str] = []
        for clip in rows:
            if clip is None or clip.job_id is None:
                raise FetchFailed("a clip was deleted")
            name = f"{clip.id}.mp4"
            if name not in names:
                reply = VideoResult.model_validate(clip.reply, extra="ignore")
                link = self.links.video(clip.job_id, reply, None)
                fetch(str(link), folder / name, reply.bytes, reply.sha256)
            names.append(name)
        music = None
        if edit.music is not None:
            key = self.links.own_upload(row.account, edit.music.url)
            link = None if key is None else self.links.uploaded(key)
            if key is None or link is None:
                raise FetchFailed("the music is not the caller's")
            music = f"music{Path(key).suffix}"
            fetch(link, folder / music, MOST_MUSIC_BYTES)
        film = as_client_film(edit, names, music)
        written = film.model_dump(mode="json", by_alias=True, exclude_none=True)
        if film.loudness.target is None:
            written["loudness"]["target"] = None  # "as loud as it is", which is not the default
        (folder / "film.json").write_text(json.dumps(written), encoding="utf-8")

    async def _watch(self, row: FilmRow, work: "asyncio.Task[dict[str, Any]]") -> None:
        """Keep the lease and tell how far the film is; end the work if it was cancelled or is another's."""
        self._done = told = 0
        while True:
            await asyncio.sleep(RENEW_EVERY)
            until, done = self.clock() + LEASE, self._done
            with suppress(sa.exc.SQLAlchemyError):
                now = await self._within(lambda db, until=until: films.renew(db, row, until))  # type: ignore[misc]
                if now is None or now.cancelling:
                    work.cancel()
                    return
                if done > told:
                    told = done
                    await self._within(
                        lambda db, done=done: films.change(db, row, only_from=_OPEN, done=done)  # type: ignore[misc]
                    )

    async def _failed(self, row: FilmRow, code: str, message: str) -> None:
        error = Error(code=code, message=message, retryable=True)
        await self._finish(row, FilmState.FAILED, error=error.model_dump())

    async def _finish(
        self, row: FilmRow, state: FilmState, only_from: list[FilmState] = _OPEN, **values: Any
    ) -> FilmRow | None:
        at = self.clock()
        ended = await self._within(
            lambda db: films.change(
                db,
                row,
                only_from=only_from,
                state=state,
                finished_at=at,
                cancelling=False,
                lease_until=0.0,
                **values,
            )
        )
        if ended is not None:
            seconds = round(at - row.created_at, 1)
            log.info("film ended", extra={"film": row.id, "state": str(state), "seconds": seconds})
        return ended

    async def _within(self, work: Callable[[sa.Connection], T]) -> T:
        def transaction() -> T:
            with self.engine.begin() as db:
                return work(db)

        done = await asyncio.to_thread(transaction)
        self.changed()
        return done
