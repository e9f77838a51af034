"""Kept and new frames in one file: made by the real encoder process of what the child process left it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ltx2_worker.engine import Encoded, EncoderFiles, EngineOptions, KeptPieces
from ltx2_worker.media.fit import Frame
from ltx2_worker.media.pieces import Pieces
from ltx2_worker.media.spliced import fit_spliced
from ltx2_worker.plan.ways.spliced import extended, retaken
from ltx2_worker.splice import Splice
from tests.engine.encode_lab import MOVING, encode
from tests.media.h264_lab import Coded, coded, other, pictures

pytestmark = pytest.mark.engine

SIZE = (320, 192)
FRAMES = 52
#: Type of a NAL unit (ITU-T H.264, table 7-1).
DELIMITER = 9
AT_END = partial(extended, seconds=1, at_end=True)
AT_START = partial(extended, seconds=1, at_end=False)
RETAKE = partial(retaken, picture=True, sound=True)


@dataclass(frozen=True)
class Made:
    """A video with kept frames, how many of them are copied, and what the encoder says of it."""

    path: Path
    splice: Splice
    copied: int
    encoded: Encoded


def spliced(
    options: EngineOptions, source: Path, folder: Path, cut: Callable[[int], Splice], begin: int = 0
) -> Made:
    """Put frames into a source: a moving picture, from frame `begin` of the motion on."""
    folder.mkdir()
    pieces, frame = Pieces(folder), Frame(*SIZE, *SIZE)
    limits: dict[str, Any] = {"max_seconds": 60.0, "max_side": 4096}
    fit_spliced(source, pieces, "video", frame, cut, fps=24, crf=18.0, with_sound=False, **limits)
    facts = json.loads(pieces.facts.read_text())
    splice = cut(facts["frames"])
    kept = KeptPieces(
        before=tuple(filter(Path.exists, pieces.before)),
        after=tuple(filter(Path.exists, pieces.after)),
        edge_before=pieces.edge_before if splice.before else None,
        edge_after=pieces.edge_after if splice.after else None,
        sound=None,
        frames=splice.frames,
        skipped=splice.skipped,
        drops=False,
        sound_skipped=splice.skipped,
        sound_before=splice.before,
        sound_replaced=splice.replaced,
        sound_new=0,
        sound_after=splice.after,
    )
    made = folder / "made.mp4"
    asked = MOVING | {"frames": splice.skipped + splice.new, "begin": begin - splice.skipped}
    encoded, _ = encode(options, EncoderFiles(made, kept=kept), **asked)
    return Made(made, splice, facts["copied"], encoded)


@pytest.fixture(scope="module")
def source(engine_options: EngineOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of this worker's."""
    path = tmp_path_factory.mktemp("spliced") / "source.mp4"
    encode(engine_options, EncoderFiles(path), **MOVING | {"frames": FRAMES})
    return path


def second_key(path: Path) -> int:
    """Where a player can begin besides the beginning."""
    return [number for number, packet in enumerate(coded(path)) if packet.is_key][1]


def check_is_whole(path: Path, frames: int) -> None:
    """Every frame at its time, decoded strictly, from each key frame on too; in an order that is allowed."""
    shown = pictures(path)
    assert [when for when, _ in shown] == list(range(frames))
    packets = coded(path)
    assert set.union(*(packet.kinds for packet in packets)) == {1, 5, DELIMITER}
    assert [packet.decoded for packet in packets] == list(range(-2, frames - 2))
    assert all(packet.shown >= packet.decoded for packet in packets)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == frames
        assert stream.average_rate == Fraction(24)
        for number in [number for number, packet in enumerate(packets) if packet.is_key]:
            container.seek(number * 512 * 1000000 // 12288)
            first = next(container.decode(stream))
            assert np.array_equal(first.to_ndarray(), shown[number][1])


def pictures_in(packet: Coded) -> list[bytes]:
    """What a packet holds besides a delimiter."""
    return [unit for unit in packet.units if unit[0] & 0x1F != DELIMITER]


def delimited(path: Path) -> list[int]:
    """The packets that begin with an access unit delimiter (ITU-T H.264, table 7-1, type 9)."""
    return [number for number, packet in enumerate(coded(path)) if packet.units[0][0] & 0x1F == DELIMITER]


@pytest.mark.parametrize("where", ["end", "start", "behind a key frame"])
def test_kept_groups_are_the_source_s_own_to_the_byte_and_the_pixel(
    engine_options: EngineOptions, source: Path, tmp_path: Path, where: str
) -> None:
    key = second_key(source)
    behind = partial(RETAKE, first=key + 1, last=key + 2)
    cut, copied = {"end": (AT_END, FRAMES), "start": (AT_START, FRAMES)}.get(where, (behind, key))
    made = spliced(engine_options, source, tmp_path / "made", cut, begin=500)
    splice = made.splice
    assert made.copied == copied
    check_is_whole(made.path, splice.frames)
    own, shown = pictures(source), pictures(made.path)
    own_packets, packets = coded(source), coded(made.path)
    shift = 0 if splice.before else splice.new
    for number in range(copied):
        assert pictures_in(packets[shift + number]) == pictures_in(own_packets[number])
        assert np.array_equal(shown[shift + number][1], own[number][1])
    begins = {0, copied, splice.before, splice.before + splice.new} if splice.before else {0, splice.new}
    assert delimited(made.path) == sorted(begins - {splice.frames})
    # The motion starts anew at every join.
    seams = {seam.frame: seam for seam in made.encoded.seams}
    joins = {splice.before} - {0} | {splice.before + splice.new} - {splice.frames}
    assert set(seams) == joins
    assert all(seam.inside and seam.difference > 4 * seam.inside for seam in seams.values())


def test_a_video_that_was_extended_is_extended_and_no_frame_encoded_twice(
    engine_options: EngineOptions, source: Path, tmp_path: Path
) -> None:
    """New frames that go on with the motion differ at the join as neighbours do."""
    once = spliced(engine_options, source, tmp_path / "once", AT_END, begin=FRAMES)
    twice = spliced(engine_options, once.path, tmp_path / "twice", AT_END, begin=FRAMES + 24)
    assert twice.copied == FRAMES + 24
    check_is_whole(twice.path, FRAMES + 48)
    own = pictures(once.path)
    assert all(
        np.array_equal(pixels, own[number][1]) for number, (_, pixels) in enumerate(pictures(twice.path)[:76])
    )
    for made in (once, twice):
        (seam,) = made.encoded.seams
        assert seam.frame == made.splice.before
        assert seam.inside and 0.7 < seam.difference / seam.inside < 1.4


def test_a_source_of_another_encoder_is_encoded_once_and_its_joins_measured(
    engine_options: EngineOptions, tmp_path: Path
) -> None:
    source = other(tmp_path / "source.mp4", {"profile": "main"}, size=SIZE)
    made = spliced(engine_options, source, tmp_path / "made", partial(RETAKE, first=1, last=2))
    assert made.copied == 0
    check_is_whole(made.path, 30)
    assert {seam.frame for seam in made.encoded.seams} == {1, made.splice.before + made.splice.new}
