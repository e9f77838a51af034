"""The finished MP4: what it is, and what is done to it between the engine and the caller.

Nothing here decodes or encodes: facts come from the file's index, and finishing copies packets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline

#: ComfyUI's SaveVideo converts RGB with swscale's default, the BT.601 matrix in limited range, and writes no
#: tag (comfy_api/latest/_input_impl/video_types.py, VideoFromComponents.save_to; pure green measures as
#: Y 145, Cb 54, Cr 34 at every size). Players take untagged HD for BT.709 and show wrong colours, so the tags
#: name what was done. Primaries and transfer are those of the footage that the model learned from.
#: Numbers: ITU-T H.273, tables 2 to 4.
_BT709_PRIMARIES, _BT709_TRANSFER, _BT601_MATRIX = 1, 1, 6
_COLOR_TAGGING = (
    f"h264_metadata=colour_primaries={_BT709_PRIMARIES}:transfer_characteristics={_BT709_TRANSFER}"
    f":matrix_coefficients={_BT601_MATRIX}:video_full_range_flag=0"
)
#: NAL units: the bits of the first byte that hold the type (ITU-T H.264, 7.3.1), two types (table 7-1), and
#: what precedes each unit in the form of annex B.
_KIND, _SEI, _SPS = 0x1F, 6, 7
_START_CODE = b"\0\0\0\1"


@dataclass(frozen=True)
class VideoFacts:
    """What an MP4 is, by its index.

    Arguments:
        width: in pixels.
        height: in pixels.
        fps: frames per second, on average.
        frames: video frames in the file.
        duration: the video stream's length in seconds.
        audio: whether there is a sound track.
        audio_duration: its length in seconds, 0 without one.
        bytes: the file's size.
        codec: the video's, such as h264.
        pixel_format: such as yuv420p.
        moov_first: whether the index precedes the frames, so that playing starts before all is loaded.
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    duration: float
    audio: bool
    audio_duration: float
    bytes: int
    codec: str
    pixel_format: str
    moov_first: bool


def inspect(path: Path) -> VideoFacts:
    """Return what a file is, without decoding it.

    Raises `WorkerError(GENERATION_FAILED)` if it is no complete MP4 with a video in it.
    """
    try:
        size = path.stat().st_size
        kinds = [kind for kind, _ in _boxes(path, size)]
        with av.open(str(path), mode="r") as container:
            video = container.streams.video[0]
            sound = container.streams.audio[0] if container.streams.audio else None
            return VideoFacts(
                width=video.width,
                height=video.height,
                fps=Fraction(video.average_rate or 0),
                frames=video.frames,
                duration=_seconds(video.duration, video.time_base),
                audio=sound is not None,
                audio_duration=_seconds(sound.duration, sound.time_base) if sound else 0.0,
                bytes=size,
                codec=video.codec_context.name,
                pixel_format=video.pix_fmt or "",
                moov_first=kinds.index(b"moov") < kinds.index(b"mdat"),
            )
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        raise _unusable() from error


def finish(source: Path, target: Path, provenance: Mapping[str, str], deadline: Deadline) -> None:
    """Make the delivered file of what the engine wrote: the same frames and sound, packet by packet.

    The index comes first, the colours are tagged as what they are, and no metadata remains but `provenance`.

    Arguments:
        source: the engine's MP4 (H.264).
        target: the file to write; removed again on failure.
        provenance: what to say about the video inside it, such as model and seed; mostly nothing.

    Raises `WorkerError(GENERATION_FAILED)` if the source is not such a file, and what
    `deadline.check` raises.
    """
    # bitexact keeps the muxer's version and the date out.
    options = {"movflags": "faststart+use_metadata_tags" if provenance else "faststart", "fflags": "bitexact"}
    try:
        with (
            av.open(str(source), mode="r") as engines,
            av.open(str(target), mode="w", format="mp4", options=options) as delivered,
        ):
            delivered.metadata.update(provenance)
            for packet in _remuxed(engines, delivered):
                deadline.check()
                delivered.mux(packet)
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        target.unlink(missing_ok=True)
        raise _unusable() from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _remuxed(engines: InputContainer, delivered: OutputContainer) -> Iterator["Packet[Any]"]:
    """Yield the first video's and the first sound track's packets, bound to new streams in `delivered`."""
    video = engines.streams.video[0]
    copies: dict[int, Stream] = {video.index: _tagged_copy(video, delivered)}
    for sound in engines.streams.audio[:1]:
        copies[sound.index] = delivered.add_stream_from_template(sound)
    for packet in engines.demux(*(engines.streams[index] for index in copies)):
        if packet.dts is None:  # the demuxer's end mark
            continue
        copy = copies[packet.stream.index]
        part = _without_encoder_settings(packet) if packet.stream.index == video.index else packet
        part.stream = copy
        yield part


def _tagged_copy(video: VideoStream, delivered: OutputContainer) -> VideoStream:
    """A new stream like `video` that names its colours, in the H.264 header and in the MP4 (`colr`).

    Apple's players look at the MP4 alone. The header is ISO/IEC 14496-15, 5.3.3.1: version, three bytes of
    the profile, the size of lengths, the number of SPS, then each with its length.
    """
    header = bytes(video.codec_context.extradata or b"")
    if header[:1] != b"\1" or header[4] & 0b11 != 0b11 or header[5] & 0b11111 != 1:
        raise ValueError("not H.264 as x264 puts it into an MP4: lengths of four bytes, one SPS")
    copy = delivered.add_stream_from_template(video)
    BitStreamFilterContext(_COLOR_TAGGING, video, copy)  # leaves a tagged header in `copy`, in annex B's form
    units = bytes(copy.codec_context.extradata or b"").split(_START_CODE)
    (tagged,) = (unit for unit in units if unit and unit[0] & _KIND == _SPS)
    old_length = int.from_bytes(header[6:8], "big")
    context = copy.codec_context
    context.extradata = header[:6] + len(tagged).to_bytes(2, "big") + tagged + header[8 + old_length :]
    context.color_primaries = _BT709_PRIMARIES
    context.color_trc = _BT709_TRANSFER
    context.colorspace = _BT601_MATRIX
    context.color_range = ColorRange.MPEG
    return copy


def _without_encoder_settings(packet: "Packet[Any]") -> "Packet[Any]":
    """A packet without its SEI units: x264 writes its settings there, the machine's thread count among them.

    Mostly there are none, and the packet is given back as it is: copying would take seconds a gigabyte.
    """
    units = list(_units(memoryview(packet)))
    kept = [unit for unit in units if unit[4] & _KIND != _SEI]
    if len(kept) == len(units):
        return packet
    rest: Packet[Any] = Packet(b"".join(kept))
    rest.pts, rest.dts, rest.duration = packet.pts, packet.dts, packet.duration
    rest.time_base, rest.is_keyframe = packet.time_base, packet.is_keyframe
    return rest


def _units(data: memoryview) -> Iterator[memoryview]:
    """Yield a packet's NAL units, each with the four bytes of its length before it (ISO/IEC 14496-15)."""
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        if not 4 < end <= len(data):
            raise ValueError("a NAL unit reaches beyond the end of its packet")
        yield data[:end]
        data = data[end:]


def _boxes(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield type and length of the MP4's outermost boxes (ISO/IEC 14496-12); ValueError if one is cut."""
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0:
                length = size - offset
            if length < 8 or offset + length > size:
                raise ValueError("a box reaches beyond the end of the file")
            yield kind, length
            offset += length


def _seconds(duration: int | None, time_base: Fraction | None) -> float:
    return float((duration or 0) * (time_base or 0))


def _unusable() -> WorkerError:
    return WorkerError(
        ErrorCode.GENERATION_FAILED,
        "The engine did not write a complete MP4; send the job again.",
        retryable=True,
    )
