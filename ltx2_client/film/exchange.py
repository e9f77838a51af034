"""A film's edit for other programs: OpenTimelineIO, which editors open.

Needs `pip install 'ltx2-client[otio]'`.
"""

from pathlib import Path
from typing import Any

from ..errors import NotConfigured
from .clips import RATE, ClipFile
from .edit import Film
from .timeline import Placed, Timeline

#: What editors know as a dissolve; any other transition is named in the metadata, and shown as one.
_DISSOLVE = "SMPTE_Dissolve"


def write_otio(film: Film, timeline: Timeline, out: Path) -> None:
    """Write the edit: one picture track with its transitions, and the music on a track of its own.

    Raises:
        NotConfigured: OpenTimelineIO is not installed.
    """
    otio = _otio()
    made = otio.schema.Timeline(name=out.stem)
    picture = otio.schema.Track(name="Picture", kind=otio.schema.TrackKind.Video)
    made.tracks.append(picture)
    for number, clip in enumerate(timeline.clips):
        following = timeline.clips[number + 1] if number + 1 < len(timeline.clips) else None
        if clip.overlap:
            picture.append(_transition(otio, clip, timeline.fps))
        picture.append(_clip(otio, clip, following, timeline.fps))
    if film.music is not None:
        track = otio.schema.Track(name="Music", kind=otio.schema.TrackKind.Audio)
        music = otio.schema.Clip(
            name=Path(film.music.file).stem,
            media_reference=otio.schema.ExternalReference(
                target_url=Path(film.music.file).resolve().as_uri()
            ),
            source_range=_range(otio, 0, timeline.samples, RATE),
        )
        track.append(music)
        made.tracks.append(track)
    otio.adapters.write_to_file(made, str(out))


def _clip(otio: Any, clip: Placed, following: Placed | None, fps: int) -> Any:
    """A clip between the middles of its transitions, as OpenTimelineIO counts."""
    into, out_of = _halves(clip.overlap)[1], _halves(following.overlap if following else 0)[0]
    first = int(clip.first * fps) + clip.overlap - into
    return otio.schema.Clip(
        name=clip.source.path.stem,
        media_reference=_reference(otio, clip.source),
        source_range=_range(otio, first, clip.frames - (clip.overlap - into) - out_of, fps),
    )


def _reference(otio: Any, source: ClipFile) -> Any:
    return otio.schema.ExternalReference(
        target_url=source.path.resolve().as_uri(),
        available_range=_range(otio, 0, source.frames, float(source.fps)),
    )


def _transition(otio: Any, clip: Placed, fps: int) -> Any:
    before, after = _halves(clip.overlap)
    return otio.schema.Transition(
        name=clip.kind,
        transition_type=_DISSOLVE,
        in_offset=otio.opentime.RationalTime(before, fps),
        out_offset=otio.opentime.RationalTime(after, fps),
        metadata={"ltx2": {"kind": clip.kind}},
    )


def _halves(overlap: int) -> tuple[int, int]:
    """Frames of a transition before and after the point where one clip becomes the other."""
    return overlap // 2, overlap - overlap // 2


def _range(otio: Any, first: int, count: int, rate: float) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(first, rate), time(count, rate))


def _otio() -> Any:
    try:
        import opentimelineio  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise NotConfigured("Writing .otio needs OpenTimelineIO: pip install 'ltx2-client[otio]'.") from error
    return opentimelineio
