"""The ways beyond the plain job, a file each: its part of a job's schema, its rules, its price."""

from . import audio_input, enhance, extend, keyframes, lengths, loras, restyle, retake, shapes
from .way import Way

#: In the order in which they are shown.
WAYS: tuple[Way, ...] = (
    shapes.WAY,
    lengths.WAY,
    keyframes.WAY,
    extend.WAY,
    retake.WAY,
    restyle.WAY,
    audio_input.WAY,
    enhance.WAY,
    loras.WAY,
)

#: What LTX2_OFFER may name.
NAMES_OF_WAYS = tuple(way.name for way in WAYS)

__all__ = ["NAMES_OF_WAYS", "WAYS", "Way"]
