"""Which latent frames are made anew: the worker's counts against the makers' mask of a span of seconds."""

from collections.abc import Iterator

import torch
from ltx_core.tools import AudioLatentTools, VideoLatentTools
from ltx_core.types import AudioLatentShape, VideoLatentShape, VideoPixelShape
from ltx_pipelines.retake import TemporalRegionMask

from ltx2_worker.splice import Splice, behind, between, in_front
from tests.reference.record import Record
from tests.reference.stages import COMPONENTS

FPS = 24.0

Seconds = tuple[float, float]


def compare_spans(record: Record) -> None:
    """Compare every place of a span among the latent frames, and every length of what is extended."""
    for name, cases in {"retake": _retakes(), "extend": _extensions()}.items():
        ours, theirs = [], []
        for splice, seen, heard in cases:
            video, sound = _latents(splice.generated)
            ours += [_mask(video, splice.new_latents), _mask(sound, splice.new_sound)]
            theirs += [_video_mask(splice.generated, seen), _sound_mask(sound, heard)]
        record.compare(f"spans, {name}", torch.cat(ours), torch.cat(theirs), 0.0)


def _retakes() -> Iterator[tuple[Splice, Seconds, Seconds]]:
    """Of a source of five seconds; the picture by what was asked for, the sound by what becomes of it."""
    for first in range(0, 120, 5):
        for last in range(first + 1, min(121, first + 40), 7):
            splice = between(120, first, last)
            begin = splice.skipped / FPS
            asked = begin, (splice.skipped + last - first) / FPS
            yield splice, asked, (begin, (splice.skipped + splice.new) / FPS)


def _extensions() -> Iterator[tuple[Splice, Seconds, Seconds]]:
    for frames in range(8, 60, 3):
        splice = behind(frames, 1)
        new = splice.skipped / FPS, splice.generated / FPS
        yield splice, new, new
        splice = in_front(frames, 1)
        begin = (1 + splice.new) / FPS
        # The first of the source's sound lack what the encoder looks back at: 0.32 s more are new.
        yield splice, (0.0, begin), (0.0, begin + 0.32)


def _latents(frames: int) -> tuple[int, int]:
    """Latent frames of picture and sound; of the sound as many as ComfyUI's node makes for a splice."""
    return (frames - 1) // 8 + 1, -(-frames * 25 // 24)


def _mask(latents: int, span: tuple[int, int]) -> torch.Tensor:
    mask = torch.zeros(latents)
    mask[slice(*span)] = 1.0
    return mask


def _video_mask(frames: int, span: Seconds) -> torch.Tensor:
    shape = VideoLatentShape.from_pixel_shape(VideoPixelShape(1, frames, 32, 32, FPS), latent_channels=1)
    tools = VideoLatentTools(COMPONENTS.video_patchifier, shape, FPS)
    state = tools.create_initial_state("cpu", torch.float32)
    return TemporalRegionMask(*span, FPS).apply_to(state, tools).denoise_mask.flatten()


def _sound_mask(latents: int, span: Seconds) -> torch.Tensor:
    shape = AudioLatentShape(batch=1, channels=1, frames=latents, mel_bins=1)
    tools = AudioLatentTools(COMPONENTS.audio_patchifier, shape)
    state = tools.create_initial_state("cpu", torch.float32)
    return TemporalRegionMask(*span, FPS).apply_to(state, tools).denoise_mask.flatten()
