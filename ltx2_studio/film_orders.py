"""Taking a film: its clips are the caller's own videos, and its edit holds together before it is rendered."""

from collections.abc import Iterator
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ltx2_client.errors import BadFilm
from ltx2_client.film import edit as client_film
from ltx2_client.film.clips import ClipFile
from ltx2_client.film.timeline import place

from . import films, generations
from .contract import Fault, Result, State
from .film_contract import NewFilm
from .films import FilmOrder, FilmRow
from .generations import KeyReused, Row
from .ports import Links
from .problems import ProblemError, key_reused, no_uploads
from .settings import Settings

#: Pixels of a film's picture: 1080p, lying or standing.
MOST_PIXELS = 1920 * 1088
#: What music may be; the upload's name tells it.
MUSIC = frozenset({".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg", ".mp4", ".mov", ".webm"})


def take(
    engine: sa.Engine, links: Links, order: FilmOrder, settings: Settings, at: float
) -> tuple[FilmRow, bool]:
    """Write a film, or find the one that its key stands for.

    Returns:
        The row, and whether it was there already.

    Raises:
        ProblemError: a clip is not the caller's or has no video, the edit is wrong, the key is another
            film's, or too many are waiting.
    """
    for last in (False, True):
        try:
            with engine.begin() as db:
                frames = _checked(db, links, order, settings)
                row, known = films.create(db, order, frames, at)
                if not known and films.count_open(db, order.account) > settings.open_films:
                    raise ProblemError(
                        HTTPStatus.TOO_MANY_REQUESTS,
                        "too_many_films",
                        f"{settings.open_films} films may be under way at a time.",
                        retry_after=60,
                    )
                return row, known
        except KeyReused:
            raise key_reused() from None
        except IntegrityError:
            # The same key was being written at the same time: now it can be found.
            if last:
                raise
    raise AssertionError("unreachable")


def as_client_film(edit: NewFilm, files: list[str], music: str | None) -> client_film.Film:
    """The film as the renderer takes it.

    Arguments:
        files: of the clips, in order.
        music: the music's file.
    """
    given = edit.model_dump(mode="json", by_alias=True)
    for clip, file in zip(given["clips"], files, strict=True):
        del clip["generation"]
        clip["file"] = file
    if given["music"] is not None:
        del given["music"]["url"]
        given["music"]["file"] = music
    return client_film.parse_film(given)


def clips_of(db: sa.Connection, account: str, edit: NewFilm) -> list[Row | None]:
    """The generation of each clip; None where the caller has none with a video."""

    def one(generation: str) -> Row | None:
        try:
            row = generations.get(db, generation)
        except LookupError:
            return None
        mine = row.account == account and row.hidden_at is None
        return row if mine and row.state is State.SUCCEEDED else None

    return [one(clip.generation) for clip in edit.clips]


def _checked(db: sa.Connection, links: Links, order: FilmOrder, settings: Settings) -> int:
    """How many frames a film has; every fault of it is told at once."""
    rows = clips_of(db, order.account, order.edit)
    faults = [
        Fault(field=f"clips.{number}.generation", message="must be a generation of yours that has a video.")
        for number, row in enumerate(rows)
        if row is None
    ]
    faults += _music_faults(order, links)
    if faults:
        raise _wrong(faults)
    sources = [_source(row) for row in rows if row is not None]
    try:
        film = as_client_film(order.edit, ["clip"] * len(sources), "music" if order.edit.music else None)
        timeline = place(film, sources)
    except BadFilm as error:
        told = [Fault(field=fault.field, message=fault.message) for fault in error.faults]
        raise _wrong(told or [Fault(field="film", message=error.message)]) from None
    if timeline.width * timeline.height > MOST_PIXELS:
        raise _wrong([Fault(field="width", message=f"times height must be {MOST_PIXELS:,} or less.")])
    if timeline.frames > settings.film_seconds * timeline.fps:
        most = f"the film must be {settings.film_seconds} s or shorter."
        raise _wrong([Fault(field="clips", message=most)])
    return timeline.frames


def _music_faults(order: FilmOrder, links: Links) -> Iterator[Fault]:
    if order.edit.music is None:
        return
    key = links.own_upload(order.account, order.edit.music.url)
    if key is None or Path(key).suffix not in MUSIC:
        yield Fault(field="music.url", message="must be what an upload of yours is to be named by: sound.")


def _source(row: Row) -> ClipFile:
    made = Result.model_validate(row.reply)
    fps = Fraction(made.fps).limit_denominator(1001)
    return ClipFile(Path("clip"), made.width, made.height, made.frames, fps, made.audio)


def _wrong(faults: list[Fault]) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_film",
        " ".join(f"{fault.field}: {fault.message}" for fault in faults[:3]),
        faults=faults,
    )


def require_bucket(links: Links) -> None:
    """Films lie in the bucket; raises ProblemError where there is none."""
    if not links.keeps_files:
        raise no_uploads()
