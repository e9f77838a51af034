"""One generation in exact numbers: recipe, sizes, frames, seed, files, credits."""

from collections.abc import Mapping
from dataclasses import dataclass

from ltx2_api.job import Mode
from ltx2_api.names import ControlType

from ..catalog.family import Family, Recipe
from ..catalog.files import ModelFile
from ..catalog.tables import Feature
from .geometry import Size


@dataclass(frozen=True)
class CameraPlan:
    """The camera-control LoRA of a job."""

    model: ModelFile
    strength: float


@dataclass(frozen=True)
class ControlPlan:
    """The structure guide of a job: the IC-LoRA, and how the control picture comes about."""

    type: ControlType
    model: ModelFile
    strength: float
    preprocessed: bool
    has_video: bool
    seconds_per_frame: float


@dataclass(frozen=True)
class Plan:
    """Everything about one generation, in exact numbers.

    Attributes:
        delivered: size of the video in the file, pixels.
        canvas: size that is generated; the delivered video is its centre crop.
        frames: frames in the file; `fps` for every second.
        base_frames: frames of the first stage, whole latent frames, at `base_fps`.
        fps: frames per second in the file; twice `base_fps` with the temporal upscaler.
        image_strength: None without a start image.
        files: by role, every file that the recipe's graph can load; `workflow.needs` says which it does.
    """

    mode: Mode
    recipe: Recipe
    precision: str
    preview: bool
    prompt: str
    seed: int
    steps: int
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
    def refined(self) -> bool:
        """Whether there is a second stage: any upscaler is followed by a refining pass."""
        return self.spatial_upscaler or self.temporal_upscaler

    @property
    def first_canvas(self) -> Size:
        """Size of the first stage: half the canvas if the spatial upscaler doubles it."""
        return Size(self.canvas.width // 2, self.canvas.height // 2) if self.spatial_upscaler else self.canvas

    @property
    def generated_frames(self) -> int:
        """Frames that come out of the last stage; the temporal upscaler makes 2F-1 of F."""
        return 2 * self.base_frames - 1 if self.temporal_upscaler else self.base_frames

    @property
    def features(self) -> frozenset[Feature]:
        """What the graph is to do; all else of it is bypassed."""
        used = {
            Feature.CAMERA: self.camera is not None,
            Feature.IMAGE: self.image_strength is not None,
            Feature.CONTROL: self.control is not None,
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
