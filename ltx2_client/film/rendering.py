"""Renders a film: the sound first, measured and made as loud as it should be, then the picture around it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import BadFilm, Cancelled
from . import clips, loudness, picture, sound
from .clips import RATE, ClipFile, Sound, probe
from .edit import Film
from .exchange import write_otio
from .loudness import Measured
from .timeline import Timeline, place

#: Constant rate factor of H.264: 17 is visually lossless for most sources (FFmpeg's H.264 guide).
CRF = 17
AUDIO_BITS = 256_000
#: An AAC encoder overshoots: the limiter aims so many decibels below the true peak that is allowed.
HEADROOM = 0.5
#: How close to the target the loudness has to come, in LU, and how often it is tried.
TOLERANCE = 0.3
TRIES = 4
#: How much the limiter may take off the loudest peaks, in dB; sound that needs more stays quieter than asked.
MOST_LIMITING = 12.0

#: Told of frames done, and of all of them.
OnFrame = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """What was rendered.

    Attributes:
        file: the MP4.
        frames, samples: exactly as many as the edit asks for.
        seconds: of the film.
        loudness: of the file's sound as it is heard, LUFS and dBTP.
        notes: what was fitted to the film: other sizes, other rates, clips without sound.
    """

    file: Path
    width: int
    height: int
    fps: int
    frames: int
    samples: int
    seconds: float
    loudness: Measured
    notes: tuple[str, ...]


def render(
    film: Film,
    out: Path,
    *,
    fetch: Callable[[str], Path] | None = None,
    on: OnFrame | None = None,
    otio: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Report:
    """Render a film into an MP4 (H.264, AAC, BT.709), which appears under its name when it is complete.

    Arguments:
        film: its file names are paths.
        out: the MP4; one that exists is replaced.
        fetch: returns the file of a job's video; needed where clips name jobs.
        on: told of every frame.
        otio: where to write the edit for other editors.
        cancelled: asked before every frame.

    Raises:
        BadFilm: a clip, the music or a time is wrong; the message names the field.
        NotConfigured: `otio` is wanted, and OpenTimelineIO is not installed.
        Cancelled: `cancelled` said so; nothing is left behind.
    """
    sources = [
        probe(_file(clip.file, clip.job, fetch, number), f"clips.{number}")
        for number, clip in enumerate(film.clips)
    ]
    timeline = place(film, sources)
    if otio is not None:
        write_otio(film, timeline, otio)
    part = out.with_name(f".{out.name}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="ltx2-film-") as folder:
            heard, track = _sound(film, timeline, Path(folder), cancelled)
            _encode(timeline, track, part, on, cancelled)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(out)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return Report(
        file=out,
        width=timeline.width,
        height=timeline.height,
        fps=timeline.fps,
        frames=timeline.frames,
        samples=timeline.samples,
        seconds=timeline.frames / timeline.fps,
        loudness=heard,
        notes=(*_notes(timeline, sources), *_loudness_note(film, heard)),
    )


def _file(file: str | None, job: str | None, fetch: Callable[[str], Path] | None, number: int) -> Path:
    if file is not None:
        return Path(file)
    if job is None or fetch is None:
        raise BadFilm(f"clips.{number}.job: jobs can be named where a client renders the film.")
    return fetch(job)


def _sound(
    film: Film, timeline: Timeline, folder: Path, cancelled: Callable[[], bool]
) -> tuple[Measured, Path]:
    """The finished sound track as a file, and how loud it is when it is played."""
    mixed = folder / "mixed"
    _write(mixed, sound.of_clips(timeline), cancelled)
    if film.music is not None:
        own = folder / "clips"
        mixed.rename(own)
        heard = loudness.measure(_read(own))
        _write(mixed, sound.with_music(_read(own), timeline, film.music, heard), cancelled)
    wanted = film.loudness
    before = loudness.measure(_read(mixed))
    gain = 0.0 if wanted.target is None or before.is_silent else wanted.target - before.integrated
    ceiling = wanted.true_peak - HEADROOM
    most = max(0.0, ceiling - before.true_peak + MOST_LIMITING)
    gain = min(gain, most)
    track = folder / "track.mp4"
    for attempt in range(TRIES):
        _encode_sound(loudness.limited(_read(mixed), gain, ceiling), track, cancelled)
        heard = loudness.measure(clips.sound(track))
        off = 0.0 if wanted.target is None or before.is_silent else wanted.target - heard.integrated
        over = heard.true_peak - wanted.true_peak
        if (abs(off) <= TOLERANCE and over <= 0) or attempt == TRIES - 1:
            break
        gain, ceiling = min(gain + off, most), ceiling - max(0.0, over)
    return heard, track


def _write(path: Path, blocks: Iterator[Sound], cancelled: Callable[[], bool]) -> None:
    """Keep a sound in a file: raw float32, both channels of a sample side by side."""
    with path.open("wb") as file:
        for block in blocks:
            _check(cancelled)
            file.write(np.ascontiguousarray(block.T, dtype=np.float32).tobytes())


def _read(path: Path) -> Iterator[Sound]:
    with path.open("rb") as file:
        while data := file.read(loudness.BLOCK * 2 * 4):
            yield np.frombuffer(data, np.float32).reshape(-1, 2).T


def _encode_sound(blocks: Iterator[Sound], path: Path, cancelled: Callable[[], bool]) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        stream.bit_rate = AUDIO_BITS
        at = 0
        for block in blocks:
            _check(cancelled)
            container.mux(stream.encode(loudness.audio_frame(block, at)))
            at += block.shape[1]
        container.mux(stream.encode(None))


def _encode(
    timeline: Timeline, track: Path, part: Path, on: OnFrame | None, cancelled: Callable[[], bool]
) -> None:
    """Encode the picture, and lay the sound track's packets beside it as they are."""
    options = {"movflags": "+faststart"}
    with av.open(str(part), "w", format="mp4", options=options) as container, av.open(str(track)) as heard:
        stream = container.add_stream("libx264", rate=Fraction(timeline.fps))
        stream.width, stream.height, stream.pix_fmt = timeline.width, timeline.height, "yuv420p"
        stream.options = {"crf": str(CRF)}
        context = stream.codec_context
        # Two seconds: a player can jump anywhere, a packager can cut segments.
        context.gop_size = 2 * timeline.fps
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        source = heard.streams.audio[0]
        audio = container.add_stream_from_template(source)
        packets = heard.demux(source)
        laid = Fraction(0)
        for number, frame in enumerate(picture.frames(timeline)):
            _check(cancelled)
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, timeline.fps), 0
            container.mux(stream.encode(frame))
            # Interleaved as they are played, so that a player never has to look far.
            while laid <= Fraction(number, timeline.fps) and (packet := next(packets, None)) is not None:
                if packet.dts is not None:
                    laid = packet.dts * packet.time_base
                    packet.stream = audio
                    container.mux(packet)
            if on is not None:
                on(number + 1, timeline.frames)
        container.mux(stream.encode(None))
        for packet in packets:
            if packet.dts is not None:
                packet.stream = audio
                container.mux(packet)


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled("The film was cancelled.")


def _notes(timeline: Timeline, sources: list[ClipFile]) -> Iterator[str]:
    for number, source in enumerate(sources):
        if (source.width, source.height) != (timeline.width, timeline.height):
            yield (
                f"clips.{number} is {source.width}x{source.height} and was fitted into "
                f"{timeline.width}x{timeline.height}."
            )
        if source.fps != timeline.fps:
            yield f"clips.{number} has {float(source.fps):g} frames a second and plays at {timeline.fps}."
        if not source.has_sound:
            yield f"clips.{number} has no sound."


def _loudness_note(film: Film, heard: Measured) -> Iterator[str]:
    target = film.loudness.target
    if target is not None and not heard.is_silent and abs(heard.integrated - target) > 2 * TOLERANCE:
        yield (
            f"The sound has {heard.integrated:.1f} LUFS instead of {target:g}: its peaks leave no more room."
        )
