"""One generation in exact numbers: recipe, sizes, frames, seed, files, credits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ltx2_api.fields import Mode

from ..catalog.family import Family, Recipe
from ..catalog.files import ModelFile
from ..catalog.inputs import Feature, Value
from ..catalog.tables import Guidance
from ..splice import Splice
from .geometry import Size, latent_tokens
from .parts import CameraPlan, ControlPlan, HeldSound, HeldVideo, KeyframePlan, LoraPlan

#: What a sentence can end with.
_ENDS = ".!?\u2026\"'\u201d\u2019)\u3002\uff01\uff1f"


def with_sentence(prompt: str, sentence: str) -> str:
    """A prompt with one more sentence at its end; the prompt itself if there is none."""
    if not sentence:
        return prompt
    ended = prompt.rstrip()
    return f"{ended}{' ' if ended[-1:] in _ENDS else '. '}{sentence}"


@dataclass(frozen=True)
class Plan:
    """Everything about one generation, in exact numbers.

    Attributes:
        delivered: size of the video in the file, pixels.
        canvas: size that is generated; the delivered video is its centre crop.
        frames: frames in the file; `fps` for every second.
        base_frames: frames of the first stage, whole latent frames, at `base_fps`.
        fps: frames per second in the file; twice `base_fps` with the temporal upscaler.
        guidance: of the first stage; None where the recipe is not guided.
        image_strength: None without a start image.
        sentence: what the worker adds to the prompt; empty: nothing.
        enhances: whether the prompt is written out first.
        cut: of a job that puts new frames among those of a source: what is made of so many frames.
        splice: what is made of its frames; of a source that is not there yet, what it is at most.
        files: by role, every file that the recipe's graph can load; `workflow.needs` says which it does.
    """

    mode: Mode
    recipe: Recipe
    precision: str
    preview: bool
    prompt: str
    sentence: str
    seed: int
    steps: int
    guidance: Guidance | None
    delivered: Size
    canvas: Size
    seconds: int
    base_fps: int
    fps: int
    frames: int
    base_frames: int
    spatial_upscaler: bool
    temporal_upscaler: bool
    detailer: bool
    audio: bool
    image_strength: float | None
    camera: CameraPlan | None
    control: ControlPlan | None
    files: Mapping[str, ModelFile]
    credits: int
    keyframes: tuple[KeyframePlan, ...] = ()
    held_video: HeldVideo | None = None
    held_sound: HeldSound | None = None
    start_level: float | None = None
    loras: tuple[LoraPlan, ...] = ()
    enhances: bool = False
    cut: Callable[[int], Splice] | None = None
    splice: Splice | None = None

    @property
    def family(self) -> Family:
        """The generation of the model."""
        return self.recipe.family

    @property
    def quality(self) -> str:
        """What the caller calls the recipe."""
        return self.recipe.name

    @property
    def checkpoint(self) -> ModelFile:
        """The file that stands for the model in a reply."""
        return self.files[self.family.named_by]

    @property
    def text(self) -> str:
        """What the model reads."""
        return with_sentence(self.prompt, self.sentence)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the caller should know of the plan."""
        if not self.sentence:
            return ()
        return (
            f'With {self.family.title} the prompt moves the camera: "{self.sentence}" was added at its end.',
        )

    @property
    def refined(self) -> bool:
        """Whether there is a second stage: any upscaler is followed by a refining pass."""
        return self.spatial_upscaler or self.temporal_upscaler

    @property
    def passes(self) -> int:
        """Evaluations of the transformer in a step of the first stage."""
        return self.guidance.passes if self.guidance else 1

    @property
    def shift(self) -> float | None:
        """Shift of the first stage's noise levels; None where they are a fixed list."""
        tokens = latent_tokens(self.first_canvas, self.base_frames, self.family.latent)
        return self.recipe.shift.of(tokens) if self.recipe.shift else None

    @property
    def refining_sigmas(self) -> tuple[float, ...]:
        """Noise levels of the refining pass; none where the family does not refine."""
        refining = self.family.refining
        if refining is None:
            return ()
        return refining.sigmas_after_temporal if self.temporal_upscaler else refining.sigmas

    @property
    def has_noise_levels(self) -> bool:
        """Whether it shows that tokens which are held have noise levels of their own.

        It does where a start image or a guide is held partly; and where a guided prediction is rescaled,
        which looks at all tokens, those that are held among them.
        """
        strengths = (self.image_strength, self.control.strength if self.control else None)
        held = [strength for strength in strengths if strength]
        # What is held of a source is held in full.
        held += [1.0] if self.held_sound or (self.held_video and self.held_video.in_both_stages) else []
        held += [keyframe.strength for keyframe in self.keyframes if keyframe.strength]
        is_rescaled = self.guidance is not None and self.guidance.rescale != 0.0
        return any(strength < 1.0 or is_rescaled for strength in held)

    @property
    def streamed_frames(self) -> int:
        """Frames that are decoded and handed to the encoder: of a splice, the new ones and those before."""
        if self.splice is None:
            return self.frames
        return 1 if self.splice.keeps_picture else self.splice.skipped + self.splice.new

    @property
    def has_pictures(self) -> bool:
        """Whether there is a start image or a keyframe."""
        return self.image_strength is not None or bool(self.keyframes)

    @property
    def first_canvas(self) -> Size:
        """Size of the first stage: half the canvas if the spatial upscaler doubles it."""
        return Size(self.canvas.width // 2, self.canvas.height // 2) if self.spatial_upscaler else self.canvas

    @property
    def generated_frames(self) -> int:
        """Frames that come out of the last stage; the temporal upscaler makes 2F-1 of F."""
        return 2 * self.base_frames - 1 if self.temporal_upscaler else self.base_frames

    @property
    def media(self) -> dict[Value, int]:
        """How many files each value of the graph needs."""
        needed = {
            Value.IMAGE: int(self.image_strength is not None),
            Value.CONTROL_VIDEO: int(self.control is not None),
            Value.KEYFRAME_IMAGE: len(self.keyframes),
            Value.SOURCE_VIDEO: int(self.held_video is not None),
            Value.SOUND: int(self.held_sound is not None),
        }
        return {value: count for value, count in needed.items() if count}

    @property
    def features(self) -> frozenset[Feature]:
        """What the graph is to do; all else of it is bypassed."""
        used = {
            Feature.VIDEO: True,
            Feature.PICTURE: self.image_strength is not None,
            Feature.CAMERA: self.camera is not None,
            Feature.IMAGE: self.image_strength is not None,
            # A control moves the picture; compression is there for pictures that would stand still.
            Feature.COMPRESSION: self.has_pictures and self.control is None,
            Feature.CONTROL: self.control is not None,
            Feature.LORAS: bool(self.loras),
            Feature.KEYFRAMES: bool(self.keyframes),
            Feature.HELD_VIDEO: self.held_video is not None,
            Feature.HELD_AGAIN: self.held_video is not None and self.held_video.in_both_stages,
            Feature.START_LEVEL: self.start_level is not None,
            Feature.HELD_SOUND: self.held_sound is not None,
            Feature.GUIDES: self.control is not None or bool(self.keyframes),
            Feature.NOISE_LEVELS: self.has_noise_levels,
            Feature.SPATIAL_UPSCALER: self.spatial_upscaler,
            Feature.TEMPORAL_UPSCALER: self.temporal_upscaler,
            Feature.REFINING: self.refined,
            Feature.DETAILER: self.detailer,
            Feature.AUDIO: self.audio,
        }
        return frozenset(feature for feature, on in used.items() if on)

    def field_of(self, role: str) -> str:
        """The job's field to change where the file of a role is not installed."""
        other_precision = self.precision != self.family.precisions[0]
        if other_precision and self.precision in self.recipe.choices_of_file.get(role, ()):
            return "precision"
        return self.family.roles[role].asked_by
