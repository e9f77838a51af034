"""What a plan is made of besides numbers: one object for each thing that a job may ask for or bring."""

from dataclasses import dataclass

from ltx2_api.names import ControlType

from ..catalog.files import ModelFile
from ..catalog.own_loras import OwnLora


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
class KeyframePlan:
    """A picture that the video is drawn to, at a frame of the first stage."""

    frame: int
    strength: float


@dataclass(frozen=True)
class LoraPlan:
    """One of the operator's own LoRAs, at a strength."""

    lora: OwnLora
    strength: float


@dataclass(frozen=True)
class HeldVideo:
    """A source's frames, whose latents are held through the sampling, all but a span of latent frames.

    Attributes:
        at: where the first of them goes that is put in.
        lead: latent frames of the source that come before it, for the encoder alone.
        new_from, new_to: the span that is made anew.
        in_both_stages: whether the second stage holds them too.
    """

    at: int
    lead: int
    new_from: int
    new_to: int
    in_both_stages: bool


@dataclass(frozen=True)
class HeldSound:
    """A source's sound that is held through the sampling, all but a span of latent frames.

    Attributes:
        begins: second of the source at which the generated sound begins.
        new_from, new_to: the span that is made anew; none where they are the same.
        is_heard: whether the source's own samples are what the file plays.
    """

    begins: float
    new_from: int
    new_to: int
    is_heard: bool
