"""The fields that a caller may send, each with what is allowed and what it means."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .inputs import SOMETHING, WHOLE, Input, MediaText, Strength
from .names import NAMES, Camera, ControlType, Model, Precision, Quality
from .prices import CARD_SECONDS, Resolution
from .ways.audio_input import AudioInputFields
from .ways.enhance import EnhanceFields
from .ways.extend import ExtendFields
from .ways.keyframes import KeyframesFields
from .ways.loras import LorasFields
from .ways.restyle import RestyleFields
from .ways.retake import RetakeFields
from .ways.shapes import ShapesFields

Mode = Literal["t2v", "i2v"]

#: Largest integer that JSON clients written in JavaScript keep exact.
MAX_SEED = 2**53 - 1
#: Characters of a prompt.
MAX_PROMPT = 4000
#: The longest video that is generated in one piece, in seconds.
MAX_SECONDS = 20

#: The models, by what a job calls them.
MODELS = "; ".join(f"{name}: {family.title}" for name, family in NAMES.families.items())
#: What each recipe is, for the caller; steps that a job may ask for, which recipes take them, which do not.
QUALITIES = "; ".join(f"{name}: {recipe.description}" for name, recipe in NAMES.recipes.items())
STEPS = NAMES.chosen_steps
CHOSEN = " or ".join(filter(NAMES.takes_steps, NAMES.qualities))
FIXED = " and ".join(name for name in NAMES.qualities if not NAMES.takes_steps(name))


class ControlInput(Input):
    """The structure that the video follows."""

    type: ControlType = Field(description="What is followed: depth map, canny edges or human pose.")
    video_url: MediaText | None = Field(
        None, description="http(s) URL of the control video, or s3:// as for the image."
    )
    video_base64: MediaText | None = Field(None, description="The control video as base64 or data URI.")
    strength: Strength = Field(1.0, description="How closely the structure is followed.")
    preprocessed: bool = Field(
        False, description="The video already shows edges, depth or pose; false: the worker derives them."
    )

    @property
    def has_video(self) -> bool:
        """Whether a control video was sent; without one, the start image's structure is followed."""
        return self.has("video")


class PlainFields(Input):
    """The fields of the plain job, each checked by itself."""

    mode: Mode | None = Field(None, description="t2v or i2v; default: i2v if an image is given.")
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT, pattern=SOMETHING)] = Field(
        description="What is seen and heard, over time; 1 to 4,000 characters. The model reads 1,024 tokens; "
        "a warning says where a longer one was cut."
    )
    model: Model | None = Field(
        None,
        description=f"Generation of the model. {MODELS}. Default: the first of these that the endpoint has.",
    )
    quality: Quality = Field(NAMES.qualities[0], description=f"{QUALITIES}.")
    steps: Annotated[int, Field(ge=STEPS.least, le=STEPS.most), WHOLE] | None = Field(
        None,
        description=f"Sampling steps of the {CHOSEN} recipe (default {STEPS.default}); "
        f"an error with {FIXED}.",
    )
    precision: Precision = Field(
        NAMES.precisions[0],
        description="Weights of the checkpoint; full needs the larger file installed, and takes the "
        "larger text encoder where that is.",
    )
    resolution: Resolution = Field("720p", description="Delivered exactly: 1280x720 or 1920x1080, landscape.")
    duration: Annotated[int, Field(ge=1, le=MAX_SECONDS), WHOLE] = Field(
        10,
        description=f"Seconds, delivered exactly, at 24 fps: {', '.join(map(str, CARD_SECONDS))}; "
        "others where the endpoint offers them.",
    )
    camera: Camera | None = Field(
        None,
        description="Camera-control LoRA, or a sentence for the prompt where the model has none; none: the "
        "prompt alone moves it. Default: the LoRA static, or the operator's; none beside a control.",
    )
    camera_strength: Annotated[float, Field(ge=0, le=1.5, allow_inf_nan=False)] = Field(
        1.0, description="Strength of the camera-control LoRA."
    )
    spatial_upscaler: bool = Field(
        True,
        description="true: half-size base, x2 latent upscaler, refining pass; false: one stage at full size. "
        "Default of a preview: false.",
    )
    temporal_upscaler: bool = Field(
        False, description="x2 latent upscaler in time and a refining pass: 48 fps, the same duration."
    )
    detailer: bool = Field(False, description="The detailer IC-LoRA refines the video.")
    image_url: MediaText | None = Field(
        None,
        description="http(s) URL of the start image, or s3://BUCKET/KEY in the endpoint's own bucket.",
    )
    image_base64: MediaText | None = Field(None, description="The start image as base64 or data URI.")
    image_strength: Strength | None = Field(
        None,
        description="How hard the first stage holds on to the image (lower moves more). "
        f"Default: {NAMES.image_strengths}.",
    )
    control: ControlInput | None = Field(
        None,
        description="Structure to follow, beside a start image; without a video, the image's own structure.",
    )
    audio: bool = Field(True, description="false: no audio stream in the file.")
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), WHOLE] | None = Field(
        None, description="Default: random; always in the reply."
    )
    preview: bool = Field(
        False, description="Exactly 1 s at 448x256, for trying a prompt in seconds; free of charge."
    )
    max_credits: Annotated[int, Field(ge=0), WHOLE] | None = Field(
        None, description="Refuse the job if it costs more than this."
    )
    dry_run: bool = Field(
        False, description="Answer plan, price, files needed and expected time; generate nothing."
    )

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None,
        description="The caller's name for this request: the same input with it again is not made twice.",
    )


# Pydantic lists the fields of the last base first: the plain job's, then the ways' in their order.
class JobFields(
    LorasFields,
    EnhanceFields,
    AudioInputFields,
    RestyleFields,
    RetakeFields,
    ExtendFields,
    KeyframesFields,
    ShapesFields,
    PlainFields,
):
    """The fields of a job, each checked by itself; those of the ways are in ways/."""

    @property
    def has_image(self) -> bool:
        """Whether a start image was sent."""
        return self.has("image")

    @property
    def has_source(self) -> bool:
        """Whether a video was sent that is worked on."""
        return any(part is not None for part in (self.restyle, self.extend, self.retake))

    @property
    def keeps_frames(self) -> bool:
        """Whether the video that was sent keeps its frames, and new ones are put among them."""
        return self.extend is not None or self.retake is not None

    @property
    def effective_mode(self) -> Mode:
        """The mode asked for, or the one that the start image implies."""
        return self.mode or ("i2v" if self.has_image else "t2v")
