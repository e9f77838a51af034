"""New frames among those of a source: which are kept, which are made, and what the model sees meanwhile.

Counted in frames of the generated rate. A latent frame is 8 frames, the first of a video a single one: latent
frame i of a generated video is its frames 8i-7 to 8i. Of the sound, latent frame i is the 40 ms from 40i - 30
on (ltx-core 1.0.0, `VideoLatentPatchifier` and `AudioPatchifier`, `get_patch_grid_bounds`).
"""

import math
from dataclasses import dataclass

#: Frames of the source that the model sees on a side of what it makes: two seconds of movement and sound.
CONTEXT = 48
_FRAMES = 8
_FPS = 24
#: The encoder of the sound looks back over so many latent frames; the first ones of a source lack their past.
_SOUND_PAST = 8


@dataclass(frozen=True)
class Splice:
    """What is made, and where it goes.

    Attributes:
        before, after: frames of the source that are kept in front of the new ones, and behind them.
        replaced: frames of the source in between, which the new ones take the place of.
        new: frames that are delivered anew.
        generated: frames that are generated.
        skipped: generated frames before the first new one.
        shown_from, shown: the frames of the source that the model sees; one before its beginning, or behind
            its end, is the nearest of its frames.
        at, lead: where their latent frames go, and how many of them are for the encoder alone.
        new_latents: the span of latent frames that is made anew.
        sound_begins: second of the source at which the generated sound begins.
        new_sound: the span of the sound's latent frames that is made anew.
        keeps_picture: whether all of the source's frames are kept, and its sound alone is made anew.
        copied: frames that are kept as the source's own packets; the others are encoded once more.
    """

    before: int
    replaced: int
    new: int
    after: int
    generated: int
    skipped: int
    shown_from: int
    shown: int
    at: int
    lead: int
    new_latents: tuple[int, int]
    sound_begins: float
    new_sound: tuple[int, int]
    keeps_picture: bool = False
    copied: int = 0

    @property
    def frames(self) -> int:
        """Frames of the whole video."""
        return self.before + self.new + self.after

    @property
    def kept(self) -> int:
        """Frames of the source in the whole video."""
        return self.frames if self.keeps_picture else self.before + self.after

    @property
    def changed(self) -> tuple[float, float]:
        """Seconds of the whole video that are new."""
        return round(self.before / _FPS, 3), round((self.before + self.new) / _FPS, 3)


def behind(frames: int, seconds: int) -> Splice:
    """Extend a source at its end.

    Arguments:
        frames: of the source, at least one.
        seconds: to add.
    """
    context = min(CONTEXT, (frames - 1) // _FRAMES * _FRAMES) + 1
    new = _FPS * seconds
    first = (context - 1) // _FRAMES + 1
    generated = context + new
    return Splice(
        before=frames,
        replaced=0,
        new=new,
        after=0,
        generated=generated,
        skipped=context,
        shown_from=frames - context,
        shown=context,
        at=0,
        lead=0,
        new_latents=(first, _latents(generated)),
        sound_begins=(frames - context) / _FPS,
        # Held are those that end within the context.
        new_sound=(math.floor((100 * context / _FPS - 1) / 4) + 1, _sound_latents(generated)),
    )


def in_front(frames: int, seconds: int) -> Splice:
    """Extend a source at its beginning.

    One frame more is generated than is delivered, as a video begins with a latent frame of a single one.

    Arguments:
        frames: of the source, eight at least.
        seconds: to add.
    """
    context = min(CONTEXT, frames // _FRAMES * _FRAMES)
    new = _FPS * seconds
    generated = 1 + new + context
    held = _latents(generated) - context // _FRAMES
    begins = (1 + new) / _FPS
    return Splice(
        before=0,
        replaced=0,
        new=new,
        after=frames,
        generated=generated,
        skipped=1,
        # The encoder takes its first frame for a video's beginning: one is put before.
        shown_from=-1,
        shown=1 + context,
        at=held,
        lead=1,
        new_latents=(0, held),
        sound_begins=-begins,
        new_sound=(0, min(_sound_latents(generated), math.ceil((100 * begins + 3) / 4) + _SOUND_PAST)),
    )


def between(frames: int, first: int, last: int, *, picture: bool = True, sound: bool = True) -> Splice:
    """Make a span of a source anew.

    The window that the model sees begins so that the span begins with a latent frame; its end is rounded up
    to that of one.

    Arguments:
        frames: of the source.
        first, last: of the span: its first frame, and the first one behind it; within the source.
        picture, sound: what is made anew.
    """
    start = min(CONTEXT // _FRAMES + 1, (first + _FRAMES - 1) // _FRAMES)
    window = first - (_FRAMES * start - _FRAMES + 1) if start else 0
    end = math.ceil((last - window - 1) / _FRAMES) + 1
    changed = min(frames, window + _FRAMES * (end - 1) + 1)
    latents = end + min(CONTEXT // _FRAMES, (frames - changed) // _FRAMES)
    generated = _FRAMES * (latents - 1) + 1
    new = changed - first
    begin_sound, end_sound = 100 * (first - window) / _FPS, 100 * (changed - window) / _FPS
    last_sound = min(_sound_latents(generated), math.ceil((end_sound + 3) / 4))
    return Splice(
        before=first,
        replaced=new,
        new=new,
        after=frames - changed,
        generated=generated,
        skipped=first - window,
        shown_from=window,
        shown=generated,
        at=0,
        lead=0,
        new_latents=(start, end) if picture else (0, 0),
        sound_begins=window / _FPS,
        new_sound=(math.floor((begin_sound + 3) / 4), last_sound) if sound else (0, 0),
        keeps_picture=not picture,
    )


def _latents(frames: int) -> int:
    return (frames - 1) // _FRAMES + 1


def _sound_latents(frames: int) -> int:
    """Enough of them for all frames; what a latent of so many frames does not have is not asked of it."""
    return math.ceil(frames / _FPS * 25)
