"""Fetching a finished video: gone on with where it stopped, checked, and renamed when it is whole."""

import base64
import binascii
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ltx2_api.record import object_name
from ltx2_api.reply import VideoResult

from .errors import BadDownload
from .events import Downloading
from .part_file import PartFile, Wrong, sha256_of
from .schedule import back_off
from .wire import Fetch, NotSent, Pause, Procedure, Reply, Unclear

#: Tries in a row that bring nothing, after which a download is given up.
TRIES = 6
#: What a try has to bring not to count as one that brought nothing: a line may drip for ever.
ENOUGH_BYTES = 64 << 10
#: Answers of a store to a link that has stopped working (or never worked).
_STALE = {400, 401, 403, 404, 410}

Listener = Callable[[Downloading], None]
#: Where a link comes from when the one at hand has stopped working; None if there is no other.
Renew = Callable[[], Procedure[VideoResult | None]]


@dataclass(frozen=True)
class Wanted:
    """One file of a result: its link, and what it must be."""

    job_id: str
    url: str
    bytes: int | None
    sha256: str | None


def wanted(result: VideoResult, *, poster: bool) -> Wanted | None:
    """The link to a result's video or poster; None if it has none."""
    if poster:
        return Wanted(result.job_id, result.poster_url, None, None) if result.poster_url else None
    return Wanted(result.job_id, result.url, result.bytes, result.sha256) if result.url else None


def place_of(result: VideoResult, to: Path, *, poster: bool) -> Path:
    """The file that a result goes to: `to`, or the job's id in it if it is a folder."""
    if not to.is_dir():
        return to
    return to / _file_name(result, poster=poster)


def _file_name(result: VideoResult, *, poster: bool) -> str:
    """What a result's file is called, here as in its store: no name leads out of a folder."""
    return f"{object_name(result.job_id)}{'.jpg' if poster else '.mp4'}"


def download(
    result: VideoResult,
    to: Path,
    renew: Renew,
    *,
    poster: bool = False,
    overwrite: bool = False,
    listen: Listener | None = None,
) -> Procedure[Path]:
    """Fetch a finished job's video and return where it lies.

    Arguments:
        to: a file, or a folder in which it is named after the job.
        renew: asked once, when the link has stopped working.
        poster: fetch the poster instead; its size and checksum are not known.
        overwrite: replace a file that is there and is not this video.
        listen: is told how many bytes are here.

    Raises:
        BadDownload: the file is not there, not right after two tries, or may not be replaced.
    """
    target = place_of(result, to, poster=poster)
    if target.exists() and not poster and sha256_of(target) == result.sha256:
        return target
    if target.exists() and not overwrite:
        raise BadDownload(f"{target} is there already, and is not this video.", job_id=result.job_id)
    if (found := wanted(result, poster=poster)) is not None:

        def fresh() -> Procedure[str | None]:
            renewed = yield from renew()
            again = wanted(renewed, poster=poster) if renewed else None
            return again.url if again else None

        return (yield from _fetched(found, target, fresh, listen))
    if not poster and result.video_base64 is not None:
        return _decoded(result, target)
    lies = result.poster_path if poster else result.path
    # An endpoint on this very machine; a stranger's reply must not name any file of it.
    if lies is not None and Path(lies).name == _file_name(result, poster=poster) and Path(lies).is_file():
        return _copied(result, Path(lies), target, poster=poster)
    raise BadDownload(
        "The job has no poster." if poster else "The job's reply holds no link: its endpoint has no bucket.",
        job_id=result.job_id,
    )


def _fetched(
    file: Wanted, target: Path, fresh: Callable[[], Procedure[str | None]], listen: Listener | None
) -> Procedure[Path]:
    url, renewed, failures, wrong = file.url, False, 0, 0

    def tell(received: int) -> None:
        if listen:
            listen(Downloading(file.job_id, received, file.bytes))

    with PartFile(target, file.bytes, file.sha256, tell) as part:
        while True:
            before = part.size
            try:
                if not part.whole:
                    reply = yield Fetch(url, part.headers, part.accept)
                    assert isinstance(reply, Reply)
                    if reply.status in _STALE:
                        link = None if renewed else (yield from fresh())
                        if link is None:
                            raise _stale(file.job_id, reply.status)
                        url, renewed = link, True
                        continue
                    if reply.status == 416:
                        raise Wrong("the file is shorter than what is here of it")
                    if reply.status not in {200, 206}:
                        raise Unclear(f"the store answered with HTTP {reply.status}")
                return part.finish()
            except Wrong as error:
                wrong += 1
                part.reset()
                if wrong > 1:
                    raise BadDownload(
                        f"{target.name} was refused, twice: {error}.", job_id=file.job_id
                    ) from error
            except (NotSent, Unclear) as error:
                failures = 0 if part.size - before >= ENOUGH_BYTES else failures + 1
                if failures >= TRIES:
                    raise BadDownload(
                        f"{target.name} could not be fetched: {error}. The next try goes on from here.",
                        job_id=file.job_id,
                    ) from error
                yield Pause(back_off(failures))


def _stale(job_id: str, status: int) -> BadDownload:
    return BadDownload(
        f"The link has stopped working (HTTP {status}), and RunPod has no fresh one. With the bucket's "
        "address, name and keys in the worker's BUCKET_ variables, a new one is made from them.",
        job_id=job_id,
    )


def _decoded(result: VideoResult, target: Path) -> Path:
    """Write the video that came inside the reply."""
    try:
        data = base64.b64decode(result.video_base64 or "", validate=True)
        with PartFile(target, result.bytes, result.sha256) as part:
            part.reset()
            part.write(data)
            return part.finish()
    except (binascii.Error, Wrong) as error:
        raise BadDownload(f"The video in the reply is not whole: {error}.", job_id=result.job_id) from error


def _copied(result: VideoResult, source: Path, target: Path, *, poster: bool) -> Path:
    """Copy the video of an endpoint that runs on this machine and has no bucket."""
    try:
        if poster:
            return Path(shutil.copyfile(source, target))
        with PartFile(target, result.bytes, result.sha256) as part, source.open("rb") as file:
            part.reset()
            while piece := file.read(1 << 20):
                part.write(piece)
            return part.finish()
    except (Wrong, OSError) as error:
        raise BadDownload(f"{source} could not be copied: {error}.", job_id=result.job_id) from error
