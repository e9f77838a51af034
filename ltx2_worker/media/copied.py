"""Frames that are copied out of a source packet by packet, where the copy shows exactly what the source does.

That is so of what this worker made, or whatever was encoded with the very same parameter sets: an MP4 has one
set for all of its frames (ISO/IEC 14496-15, 5.3.3.1). A copied packet of a stranger's file is delivered: each
copy is decoded before, every frame of it without an error, and compared with what the source showed.
Runs in a child process (isolate.py).
"""

import hashlib
import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from .clip import THREADS, Clip
from .edges import rows
from .pieces import Run
from .segment import KEY_FRAME_SECONDS, REORDERED, Segment, delivered

#: Types of NAL units (ITU-T H.264, table 7-1): a picture, a key picture (IDR); and what may stand beside them
#: without being needed to decode them: messages, delimiters, filler.
_PICTURE, _KEY_PICTURE = 1, 5
_DROPPED = frozenset({6, 9, 12})
#: In an MP4, the length of each unit stands before it in so many bytes (14496-15, 5.3.3.1.2), mostly.
_LENGTH = 4
_SHORTEST = 2


def key_frames(clip: Clip, size: tuple[int, int], frames: int, *, fps: int, crf: float) -> tuple[int, ...]:
    """At which frames of a source groups begin that can be copied each by itself; none if it has others too.

    A group is what is shown from one key frame to the next one, and is decoded from nothing else.

    Arguments:
        clip: the source, of which nothing was read yet.
        size: delivered width and height, in pixels.
        frames: of the source.
        fps, crf: of what is delivered.

    Raises:
        WorkerError: MEDIA_REJECTED, the source is damaged.
    """
    if not clip.parameters.startswith(_parameters(size, fps, crf)):
        return ()
    keys: list[int] = []
    shown: list[int] = []
    begin: int | None = None
    for packet in clip.packets():
        slices = _slices(bytes(packet))
        if not slices or packet.pts is None or packet.is_discard or packet.has_sidedata("new_extradata"):
            return ()
        begin = packet.pts if begin is None else begin
        number = Fraction(packet.pts - begin) * packet.time_base * fps
        if number.denominator != 1:
            return ()
        if _kind(slices[0]) == _KEY_PICTURE:
            keys.append(len(shown))
        shown.append(number.numerator)
    return tuple(keys) if _are_groups(keys, shown, frames, fps) else ()


def copy(clip: Clip, run: Run, size: tuple[int, int], *, fps: int, crf: float) -> None:
    """Write the packets of a run, and nothing else of them than pictures.

    Arguments:
        clip: the source, of which nothing was read yet; its key frames were found by `key_frames`.
        run: its frames begin and end with a group.
        size, fps, crf: of what is delivered.
    """
    begin: int | None = None
    with Segment(run.path, size, fps, delivered(crf)) as segment:
        for place, packet in enumerate(clip.packets()):
            assert packet.pts is not None
            begin = packet.pts if begin is None else begin
            if run.first <= place < run.last:
                slices = _slices(bytes(packet))
                number = round(Fraction(packet.pts - begin) * packet.time_base * fps) - run.first
                segment.copy(slices, number, is_key=_kind(slices[0]) == _KEY_PICTURE)


def digest(picture: VideoFrame) -> bytes:
    """What tells a frame from another: a digest of all its pixels."""
    digested = hashlib.blake2b(digest_size=16)
    for plane in picture.planes:
        for row in rows(plane):
            digested.update(row)
    return digested.digest()


def shows(path: Path, digests: Sequence[bytes], *, fps: int) -> bool:
    """Whether a piece shows exactly these frames, each at its time, and none with an error.

    Arguments:
        path: the piece.
        digests: of the frames that it is to show.
        fps: of them.
    """
    try:
        with av.open(str(path), format="mp4") as container:
            stream = container.streams.video[0]
            # Else a decoder hides what it cannot read.
            stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
            # As clip.py reads the source.
            stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", THREADS
            return _shows(container, digests, fps)
    except (av.FFmpegError, ValueError, IndexError):
        return False


def _shows(container: InputContainer, digests: Sequence[bytes], fps: int) -> bool:
    number = 0
    for picture in container.decode(video=0):
        if picture.pts is None or picture.time_base is None or picture.is_corrupt:
            return False
        if number == len(digests) or picture.pts * picture.time_base * fps != number:
            return False
        if digest(picture) != digests[number]:
            return False
        number += 1
    return number == len(digests)


def _are_groups(keys: Sequence[int], shown: Sequence[int], frames: int, fps: int) -> bool:
    """Whether a source's frames all belong to groups, as long as ours and in no wilder an order.

    Arguments:
        keys: at which places key frames are.
        shown: the number of the frame at each place.
    """
    if len(shown) != frames or not keys or keys[0] != 0:
        return False
    return all(
        last - first <= fps * KEY_FRAME_SECONDS
        and shown[first] == first
        and sorted(shown[first:last]) == list(range(first, last))
        for first, last in pairwise((*keys, frames))
    ) and all(number >= place - REORDERED for place, number in enumerate(shown))


def _slices(packet: bytes) -> list[bytes]:
    """The slices of the one picture that a packet holds; none if it holds what ours never do."""
    slices = []
    place = 0
    while place < len(packet):
        begin = place + _LENGTH
        place = begin + int.from_bytes(packet[place:begin])
        unit = packet[begin:place]
        if len(unit) < _SHORTEST or place > len(packet):
            return []
        if _kind(unit) not in _DROPPED:
            slices.append(unit)
    # The first slice of a picture begins at macroblock 0, which is coded as a single bit (7.3.3, 9.1).
    are_first = [bool(unit[1] & 0x80) for unit in slices]
    kinds = {_kind(unit) for unit in slices}
    is_picture = kinds in ({_PICTURE}, {_KEY_PICTURE}) and are_first == [True] + [False] * (len(slices) - 1)
    return slices if is_picture else []


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F


def _parameters(size: tuple[int, int], fps: int, crf: float) -> bytes:
    """How an MP4's parameters begin that are those of our encoder (`avcC`, 14496-15, 5.3.3.1.2)."""
    with Segment(io.BytesIO(), size, fps, delivered(crf)) as empty:
        _, sequence, picture = empty.open().split(b"\0\0\0\1")
    version, one_sequence, one_picture = b"\1", b"\xe1", b"\1"
    lengths = bytes([0xFC | (_LENGTH - 1)])
    return b"".join(
        (
            *(version, sequence[1:4], lengths),
            *(one_sequence, len(sequence).to_bytes(2), sequence),
            *(one_picture, len(picture).to_bytes(2), picture),
        )
    )
