"""How the pro recipe's first stage is guided: the scales, their sources, and what they cost."""

from dataclasses import dataclass
from typing import Literal

#: The full guidance of Lightricks' pipelines, or the two passes of ComfyUI's templates.
GuidanceName = Literal["full", "plain"]


@dataclass(frozen=True)
class Guidance:
    """The scales of a guider, as the node LTX2Guider names them (engine_nodes/guidance.py).

    Attributes:
        video_cfg, audio_cfg: away from the negative prompt; 1 is off.
        stg: away from a perturbed self-attention (spatio-temporal guidance); 0 is off.
        modality: away from picture and sound that do not see each other; 1 is off.
        rescale: how much of the prediction's standard deviation is restored; 0 is off.
    """

    video_cfg: float
    audio_cfg: float
    stg: float = 0.0
    modality: float = 1.0
    rescale: float = 0.0

    @property
    def passes(self) -> int:
        """Evaluations of the transformer in a step."""
        away = (self.video_cfg != 1.0 or self.audio_cfg != 1.0, self.stg != 0.0, self.modality != 1.0)
        return 1 + sum(away)


#: Source: ltx-pipelines 1.0.0, `utils/constants.py`, LTX_2_PARAMS; Lightricks' since 29 January 2026 and
#: diffusers' default for LTX-2.0. The block that it perturbs (29 of 48) is the model's, and in the file.
FULL = Guidance(video_cfg=3.0, audio_cfg=7.0, stg=1.0, modality=3.0, rescale=0.7)
#: Sources: ComfyUI's templates for LTX-2 dev, text and image to video (4); canny and depth to video (3).
PLAIN = Guidance(video_cfg=4.0, audio_cfg=4.0)
PLAIN_WITH_CONTROL = Guidance(video_cfg=3.0, audio_cfg=3.0)


def guidance_for(name: GuidanceName, *, has_control: bool) -> Guidance:
    """The scales that an operator's choice means for a job."""
    if name == "full":
        return FULL
    return PLAIN_WITH_CONTROL if has_control else PLAIN
