"""A stranger's sound becomes the WAV that the engine reads; runs in a child process (isolate.py)."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from .container import Metered, opened, reject, video_demuxer

ALLOWED = "a WAV, MP3, FLAC, M4A, OGG or WebM sound, or a video with a sound track"
CODECS = frozenset({"aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis"})

#: Rates that AAC and every player take; any other is made the last of them.
RATES = (32_000, 44_100, 48_000)
#: A sound this much shorter or longer than the video is not worth a warning, in seconds.
NOTABLE_DIFFERENCE = 0.25
#: The video that is generated is a frame longer than the one that is delivered.
_BEYOND = 0.2


def fit_sound(
    source: Path,
    target: Path,
    field: str,
    *,
    start: float,
    seconds: float,
    max_seconds: float,
    of_video: bool = False,
) -> list[str]:
    """Write the sound in `source` to `target`: a WAV of 32-bit floats, as long as a video and a little more.

    Its rate and its one or two channels stay as they are where an MP4 can have them; of more channels, two
    are made. What is beyond the video is cut, silence fills what is missing.

    Arguments:
        source: the file as it came.
        target: the WAV to write.
        field: the input field it came in, for messages.
        start: second of the source at which the video begins.
        seconds: of the video.
        max_seconds: longer sounds are refused.
        of_video: it belongs to a video, whose first frame is second 0; one without a sound gives no WAV.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole sound.
    """
    with opened(source, field, ALLOWED, _demuxer) as (container, file):
        stream = sound_stream(container, field)
        if stream is None:
            if of_video:
                return []
            reject(field, "has no sound")
        if of_video and container.streams.video:
            picture = container.streams.video[0]
            start += float((picture.start_time or 0) * (picture.time_base or 0))
        rate = stream.rate if stream.rate in RATES else RATES[-1]
        first, last = round(start * rate), round((start + seconds + _BEYOND) * rate)
        with Wav(target, rate, 1 if stream.channels == 1 else 2) as wav:
            heard: int | None = None
            for frame in decoded(container, stream, file, field, rate):
                if heard is None:
                    # What an encoder puts before the sound (its priming) has times below 0.
                    heard = min(0, round((frame.time or 0.0) * rate))
                if heard > max_seconds * rate:
                    reject(field, f"is longer than {max_seconds:g} s")
                wav.write(frame, max(0, first - heard), max(0, last - heard))
                heard += frame.samples
            heard = heard or 0
            if heard <= first and not of_video:
                reject(
                    field,
                    f"is {heard / rate:.1f} s long: nothing is left of it at audio_start, second {start:g}",
                )
            wav.fill(last - first)
    left = field if start == 0 else f"From second {start:g} on, {field}"
    return [] if of_video else _length_warnings(left, heard / rate - start, seconds)


def sound_stream(container: InputContainer, field: str) -> AudioStream | None:
    """The sound track of a file: the first one, None if it has none.

    Raises:
        WorkerError: MEDIA_REJECTED, it is in a codec that is not allowed.
    """
    if not container.streams.audio:
        return None
    stream = container.streams.audio[0]
    name = stream.codec_context.codec.canonical_name if stream.codec_context else ""
    if name not in CODECS and not name.startswith("pcm_"):
        reject(field, f"has a sound in a codec that is not allowed: it must be {ALLOWED}")
    if not (stream.rate and stream.channels):
        reject(field, f"is damaged: it must be {ALLOWED}")
    return stream


def decoded(
    container: InputContainer, stream: AudioStream, file: Metered, field: str, rate: int
) -> Iterator[AudioFrame]:
    """Every frame of a track, as floats at a rate, in one or two channels, sample by sample.

    Raises:
        WorkerError: MEDIA_REJECTED, it is damaged.
    """
    resampler = AudioResampler("flt", "mono" if stream.channels == 1 else "stereo", rate)
    try:
        for packet in container.demux(stream):
            for frame in stream.decode(packet):
                yield from resampler.resample(frame)
        yield from resampler.resample(None)
    except (av.FFmpegError, ValueError) as error:
        reject(field, "is damaged or incomplete", error)
    if file.spent:
        reject(field, "is damaged or incomplete")


class Wav:
    """A WAV of 32-bit floats, being written; a context manager."""

    def __init__(self, target: Path, rate: int, channels: int) -> None:
        self._container = av.open(str(target), "w", format="wav")
        layout = "mono" if channels == 1 else "stereo"
        self._stream = self._container.add_stream("pcm_f32le", rate=rate, layout=layout)
        self._rate, self._channels, self._layout = rate, channels, layout
        self._written = 0

    def __enter__(self) -> "Wav":
        return self

    def write(self, frame: AudioFrame, first: int, last: int) -> None:
        """Write the samples from `first` to `last` of a frame of floats, sample by sample."""
        first, last = min(first, frame.samples), min(last, frame.samples)
        width = 4 * self._channels
        self._add(bytes(frame.planes[0])[width * first : width * last])

    def fill(self, samples: int) -> None:
        """Write silence until there are so many samples."""
        while (missing := samples - self._written) > 0:
            self._add(bytes(4 * self._channels * min(missing, self._rate)))

    def __exit__(self, *_: object) -> None:
        with self._container:
            self._container.mux(self._stream.encode(None))

    def _add(self, samples: bytes) -> None:
        count = len(samples) // (4 * self._channels)
        if not count:
            return
        frame = AudioFrame("flt", self._layout, count)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts = self._rate, self._written
        self._container.mux(self._stream.encode(frame))
        self._written += count


def _demuxer(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    # An ID3v2 tag, or the sync word of MPEG audio, layer 3 (ISO/IEC 11172-3, 2.4.1.3).
    if head.startswith(b"ID3") or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2):
        return "mp3"
    return video_demuxer(head)


def _length_warnings(field: str, length: float, wanted: float) -> list[str]:
    if length < wanted - NOTABLE_DIFFERENCE:
        return [f"{field} is {length:.1f} s long, the video {wanted:.1f} s: its end is silent."]
    if length > wanted + NOTABLE_DIFFERENCE:
        return [f"{field} is {length:.1f} s long, the video {wanted:.1f} s: what is beyond is not used."]
    return []
