"""What is copied out of a source packet by packet: all that can be, and nothing that would show otherwise."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media.fit import Frame
from ltx2_worker.media.pieces import Pieces
from ltx2_worker.media.spliced import fit_spliced
from ltx2_worker.plan.ways.spliced import extended, retaken
from ltx2_worker.splice import Splice
from tests.media.h264_lab import (
    CRF,
    SIZE,
    Coded,
    coded,
    other,
    ours,
    parameter_sets,
    pictures,
    with_units,
    written,
)

FRAMES = 60
AT_END = partial(extended, seconds=1, at_end=True)
RETAKE = partial(retaken, picture=True, sound=True)


@dataclass(frozen=True)
class Taken:
    """A source, taken apart: how many frames it has, how many of them are copied, and what stays of it."""

    frames: int
    copied: int
    pieces: Pieces
    splice: Splice


def taken_apart(source: Path, cut: Callable[[int], Splice] = AT_END, *, crf: float = CRF) -> Taken:
    folder = source.with_suffix("")
    folder.mkdir()
    pieces = Pieces(folder)
    frame = Frame(*SIZE, *SIZE)
    limits: dict[str, Any] = {"max_seconds": 60.0, "max_side": 4096}
    fit_spliced(source, pieces, "video", frame, cut, fps=24, crf=crf, with_sound=False, **limits)
    facts = json.loads(pieces.facts.read_text())
    return Taken(facts["frames"], facts["copied"], pieces, cut(facts["frames"]))


def stays(taken: Taken, source: Path) -> int:
    """Look at every frame that stays; return how many show to the bit what the source shows there."""
    shown = [pixels for _, pixels in pictures(source)]
    splice, found = taken.splice, 0
    spans = [
        (taken.pieces.before, 0, taken.frames if splice.keeps_picture else splice.before),
        (taken.pieces.after, splice.before + splice.replaced, taken.frames),
    ]
    for paths, first, last in spans[: 1 if splice.keeps_picture else 2]:
        number = first
        for path in filter(Path.exists, paths):
            frames = pictures(path)
            assert [when for when, _ in frames] == list(range(len(frames)))
            for _, pixels in frames:
                found += int(np.array_equal(pixels, shown[number]))
                number += 1
        assert number == last
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Key frames every two seconds, and nowhere else.
    always = {"x264-params": "stitchable=1:scenecut=0"}
    return other(tmp_path_factory.mktemp("own") / "own.mp4", always, frames=FRAMES)


@pytest.mark.parametrize(
    ("cut", "copied"),
    [
        (AT_END, 60),
        (partial(extended, seconds=1, at_end=False), 60),
        (partial(RETAKE, first=50, last=55), 48),
        (partial(RETAKE, first=10, last=20), 12),
        (partial(RETAKE, first=0, last=40), 12),
        (partial(RETAKE, first=1, last=60), 0),
        (partial(RETAKE, first=10, last=20, picture=False), 60),
    ],
)
def test_every_group_that_stays_as_a_whole_is_copied(
    own: Path, tmp_path: Path, cut: Callable[[int], Splice], copied: int
) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(own.read_bytes())
    taken = taken_apart(source, cut)
    assert (taken.frames, taken.copied) == (FRAMES, copied)
    assert stays(taken, source) >= copied


def test_a_source_of_another_quality_is_copied_too(tmp_path: Path) -> None:
    source = ours(tmp_path / "source.mp4", crf=30)
    taken = taken_apart(source)
    assert stays(taken, source) == taken.copied == taken.frames


#: Encoded otherwise than this worker does.
FOREIGN: dict[str, Callable[[Path], Path]] = {
    "another profile": partial(other, options={"profile": "main"}),
    "fields": partial(other, options={"x264-params": "stitchable=1:interlaced=1"}),
    "full chroma": partial(other, options={}, pixels="yuv444p"),
    "grey": partial(other, options={}, pixels="gray"),
    "ten bits": partial(other, options={}, pixels="yuv420p10le"),
    "key frames alone": partial(other, options={"x264-params": "stitchable=1:keyint=1"}),
    "no reordering": partial(other, options={"bf": "0"}),
    "no pyramid": partial(other, options={"x264-params": "stitchable=1:b-pyramid=none"}),
    "another quality in its head": partial(other, options={"x264-params": "stitchable=0"}),
    "lossless": partial(other, options={"crf": "0"}),
    "open groups": partial(other, options={"x264-params": "stitchable=1:open-gop=1:keyint=24"}, frames=60),
    "long groups": partial(other, options={"x264-params": "stitchable=1:keyint=250:scenecut=0"}, frames=60),
    "pixels that are not square": partial(other, options={"x264-params": "stitchable=1:sar=4/3"}),
    "25 frames a second": partial(other, options={}, rate=Fraction(25)),
    "23.976 frames a second": partial(other, options={}, rate=Fraction(24000, 1001)),
    "cropped": partial(other, options={}, size=(128, 62)),
    "rounded times": partial(other, options={}, container="matroska"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_was_encoded_otherwise_is_encoded_once_more(tmp_path: Path, kind: str) -> None:
    source = FOREIGN[kind](tmp_path / "source.mp4")
    taken = taken_apart(source)
    assert taken.copied == 0
    (path,) = filter(Path.exists, taken.pieces.before)
    assert [when for when, _ in pictures(path)] == list(range(taken.frames))


#: x264 with other settings that leave its parameter sets as they are.
AKIN: dict[str, dict[str, str]] = {
    "another preset": {"preset": "slow", "x264-params": "stitchable=1:ref=3:bframes=3:weightp=2"},
    "delimiters": {"x264-params": "stitchable=1:aud=1"},
    "short groups": {"x264-params": "stitchable=1:keyint=7"},
    "many slices": {"x264-params": "stitchable=1:slices=4"},
}


@pytest.mark.parametrize("kind", AKIN)
def test_what_shows_the_same_with_our_head_is_copied(tmp_path: Path, kind: str) -> None:
    source = other(tmp_path / "source.mp4", AKIN[kind])
    taken = taken_apart(source)
    assert stays(taken, source) == taken.copied == taken.frames
    (path,) = filter(Path.exists, taken.pieces.before)
    assert set.union(*(packet.kinds for packet in coded(path))) == {1, 5}


def later(packets: list[Coded], frames: Fraction) -> list[Coded]:
    return [
        replace(packet, shown=packet.shown + frames, decoded=packet.decoded + frames) for packet in packets
    ]


def slower(packets: list[Coded]) -> list[Coded]:
    """Frame 30 and all behind it half a frame late."""
    return [replace(each, shown=each.shown + Fraction(each.shown >= 30, 2)) for each in packets]


def of_two_pictures(packets: list[Coded]) -> list[Coded]:
    """A packet with the slices of the next one too, which comes nevertheless."""
    return [*packets[:10], with_units(packets[10], *packets[11].units, in_front=False), *packets[11:]]


def without_a_reference(packets: list[Coded]) -> list[Coded]:
    """A frame that others are decoded from is replaced by the one before it."""
    return [*packets[:5], replace(packets[5], units=packets[4].units), *packets[6:]]


def with_errors(packets: list[Coded]) -> list[Coded]:
    """A slice whose middle is noise."""
    first, *others = packets[20].units
    half = len(first) // 2
    damaged = first[:half] + bytes(byte ^ 0xA5 for byte in first[half:])
    return [*packets[:20], replace(packets[20], units=(damaged, *others)), *packets[21:]]


def cut_short(packets: list[Coded]) -> list[Coded]:
    """A slice that lacks its end."""
    *others, last = packets[0].units
    return [replace(packets[0], units=(*others, last[: len(last) // 2])), *packets[1:]]


#: 16 bytes that say whose it is, and four.
MESSAGE = b"\x06\x05\x14" + b"0123456789abcdefgood" + b"\x80"

#: What somebody makes of our packets, and whether they can still be copied.
TAMPERED: dict[str, tuple[Callable[[list[Coded]], list[Coded]], bool]] = {
    "it begins late": (lambda packets: later(packets, Fraction(1_000)), True),
    "times are huge": (lambda packets: later(packets, Fraction(24 * 80_000)), True),
    "times are irregular": (slower, False),
    "the first key frame is missing": (lambda packets: packets[1:], False),
    "the last frames are missing": (lambda packets: packets[:-5], False),
    "a message": (lambda packets: [with_units(packet, MESSAGE) for packet in packets], True),
    "a unit of another standard": (
        lambda packets: [with_units(each, b"\x6e\x00") for each in packets],
        False,
    ),
    "an end": (lambda packets: [with_units(each, b"\x0b\x80", in_front=False) for each in packets], False),
    "two pictures in a packet": (of_two_pictures, False),
    "another frame's picture": (without_a_reference, False),
    "errors": (with_errors, False),
    "a slice without its end": (cut_short, False),
    "no key frames but the first": (
        lambda packets: [replace(each, is_key=number == 0) for number, each in enumerate(packets)],
        True,
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_what_was_tampered_with_is_copied_exactly_encoded_or_refused(
    own: Path, tmp_path: Path, kind: str
) -> None:
    tampered, can_be_copied = TAMPERED[kind]
    source = written(tmp_path / "source.mp4", tampered(coded(own)), like=own)
    try:
        taken = taken_apart(source)
    except WorkerError as error:
        assert error.code is ErrorCode.MEDIA_REJECTED
        assert not can_be_copied
        return
    assert taken.copied == (FRAMES if can_be_copied else 0)
    paths = [path for path in taken.pieces.before if path.exists()]
    assert sum(len(pictures(path)) for path in paths) == taken.frames
    if can_be_copied:
        assert stays(taken, source) == FRAMES


def test_parameter_sets_among_the_packets_are_not_copied(own: Path, tmp_path: Path) -> None:
    packets = coded(own)
    sets = parameter_sets(ours(tmp_path / "other.mp4", 1, size=(192, 64)))
    source = written(tmp_path / "source.mp4", [with_units(packets[0], *sets), *packets[1:]], like=own)
    assert taken_apart(source).copied == 0
    source = written(
        tmp_path / "same.mp4", [with_units(packets[0], *parameter_sets(own)), *packets[1:]], like=own
    )
    assert taken_apart(source).copied == 0


def test_a_source_that_an_edit_list_cuts_is_encoded_once_more(own: Path, tmp_path: Path) -> None:
    whole = own.read_bytes()
    place = whole.index(b"elst") + 12  # version and flags, count; then duration and media time
    media_time = int.from_bytes(whole[place + 4 : place + 8], "big")
    source = tmp_path / "source.mp4"
    source.write_bytes(whole[: place + 4] + (media_time + 5 * 512).to_bytes(4, "big") + whole[place + 8 :])
    taken = taken_apart(source)
    assert (taken.frames, taken.copied) == (FRAMES - 5, 0)


def test_one_frame_is_a_source(tmp_path: Path) -> None:
    source = ours(tmp_path / "source.mp4", 1)
    taken = taken_apart(source)
    assert stays(taken, source) == taken.copied == 1
