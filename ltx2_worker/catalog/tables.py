"""The form of a family's file (ltx-2.toml): which tables it has, and what may stand in them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints

from ltx2_api.progress import Stage

from .inputs import Choice, Feature, Series, Slot, Value


def _by_precision(value: Any) -> Any:
    """One id, several in the order of preference, or either by precision; "" stands for every precision."""
    by_precision = value if isinstance(value, Mapping) else {"": value}
    return {key: (ids,) if isinstance(ids, str) else ids for key, ids in by_precision.items()}


Text = Annotated[str, StringConstraints(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(gt=0, strict=True)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sigmas = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=2)]
Slots = Annotated[tuple[Annotated[Slot, PlainValidator(Slot.parse)], ...], Field(min_length=1)]
#: Ids of files in the order of preference, by precision.
FileIds = Annotated[Mapping[str, Texts], BeforeValidator(_by_precision)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latent(_Table):
    """The grid of a family's latents.

    Attributes:
        cell: pixels along a side of a latent cell.
        frames: frames in a latent frame; the first one holds a single frame.
        canvas_step: pixels; both sides of a canvas are multiples of it.
    """

    cell: Count
    frames: Count
    canvas_step: Count


class Rates(_Table):
    """Frames per second.

    Attributes:
        base: comes out of the first stage, and twice that of the temporal upscaler.
        conditioning_most: later stages are told no more than this.
        sound: what the node of the empty sound is told, for its length alone.
    """

    base: Count
    conditioning_most: Count
    sound: Amount


class Arithmetic(_Table):
    """What estimates are computed from: the transformer's size, the decoder's speed."""

    parameters: Amount
    blocks: Count
    width: Count
    decoded_pixels_per_second: Amount


class Refining(_Table):
    """Noise levels of the refining pass, and of the one after the temporal upscaler."""

    sigmas: Sigmas
    sigmas_after_temporal: Sigmas


class Pose(_Table):
    """How thick a skeleton is drawn, in pixels of a frame whose longer side is `side`."""

    side: Count
    stick_width: Count
    point_size: Count

    def scaled(self, size: int, side: int) -> int:
        """One of the sizes in a frame with another longer side, a pixel at least."""
        return max(1, round(size * side / self.side))


class Detailing(_Table):
    """The detailer: its steps; latent frames of a window, and of what it shares with the one before."""

    steps: Count
    window: Count
    overlap: Count


class Guidance(_Table):
    """The scales of a guider, as the node LTX2Guider names them (engine_nodes/guidance.py).

    Attributes:
        video_cfg, audio_cfg: away from the negative prompt; 1 is off.
        stg: away from a perturbed self-attention (spatio-temporal guidance); 0 is off.
        modality: away from picture and sound that do not see each other; 1 is off.
        rescale: how much of the prediction's standard deviation is restored; 0 is off.
    """

    video_cfg: Amount
    audio_cfg: Amount
    stg: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    modality: Amount = 1.0
    rescale: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def passes(self) -> int:
        """Evaluations of the transformer in a step."""
        away = (self.video_cfg != 1.0 or self.audio_cfg != 1.0, self.stg != 0.0, self.modality != 1.0)
        return 1 + sum(away)


class Guidances(_Table):
    """What an operator can choose: `full`, or `plain`, which may be another one beside a control."""

    full: Guidance
    plain: Guidance
    plain_with_control: Guidance

    def chosen(self, name: Literal["full", "plain"], *, has_control: bool) -> Guidance:
        """The scales of a job."""
        if name == "full":
            return self.full
        return self.plain_with_control if has_control else self.plain


class Shift(_Table):
    """How far a scheduler's noise levels are shifted upwards, by the number of a first stage's tokens.

    Attributes:
        at_1024, at_4096: two points of a straight line.
        most: the line's end; the scheduler's numbers overflow where it has none.
    """

    at_1024: Amount
    at_4096: Amount
    most: Amount

    def of(self, tokens: int) -> float:
        """The shift for so many tokens; never less than that of 4096."""
        slope = (self.at_4096 - self.at_1024) / (4096 - 1024)
        return round(min(self.most, max(self.at_4096, self.at_4096 + slope * (tokens - 4096))), 2)


class Steps(_Table):
    """Steps of a first stage; `least` and `most` are the same where a job cannot choose."""

    default: Count
    least: Count
    most: Count

    @property
    def chosen(self) -> bool:
        """Whether a job may set them."""
        return self.least < self.most


def _steps(value: Any) -> Any:
    return {"default": value, "least": value, "most": value} if isinstance(value, int) else value


class RecipeTable(_Table):
    """`[recipes.NAME]`: a workflow file, the files that no other recipe loads, and its first stage.

    Attributes:
        sound: which of `choices.sound` is delivered; None: the workflow file says.
    """

    description: Text
    workflow: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")]
    steps: Annotated[Steps, BeforeValidator(_steps)]
    guidance: Guidances | None = None
    shift: Shift | None = None
    sound: Text | None = None
    files: Mapping[str, FileIds] = {}


class RoleTable(_Table):
    """`[files.ROLE]`: where the name of a file goes, and the job's field that asks for it."""

    into: Slots
    asked_by: Text
    file: FileIds | None = None


class ControlTable(_Table):
    """`[controls.TYPE]`: the LoRAs that can do it, and the seconds a frame that its structure takes."""

    loras: Texts
    seconds_per_frame: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class ChoiceTable(_Table):
    """`[choices.NAME]`: an input, and the node that it is connected to for each value: to which output."""

    into: Annotated[Slot, PlainValidator(Slot.parse)]
    sources: Mapping[str, Text] = Field(alias="from")
    output: Annotated[int, Field(ge=0)] = 0


class FamilyTable(_Table):
    """A family's file as a whole.

    Attributes:
        image_strength: how hard the first stage holds on to a start image where a job does not say.
        keyframe_strength: how hard a video is drawn to a keyframe where a job does not say.
        cameras: sentences for the prompt, by what a job calls the movement that has no LoRA.
        instead: by the job's field that the family has nothing for, what a caller can do.
    """

    title: Text
    precisions: Texts
    named_by: Text
    also_named: tuple[Text, ...] = ()
    latent: Latent
    rates: Rates
    arithmetic: Arithmetic
    image_strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    keyframe_strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    refining: Refining | None = None
    detailing: Detailing | None = None
    pose: Pose | None = None
    recipes: Annotated[Mapping[str, RecipeTable], Field(min_length=1)]
    files: Mapping[str, RoleTable]
    cameras: Mapping[str, Text] = {}
    controls: Mapping[str, ControlTable] = {}
    instead: Mapping[str, Text] = {}
    slots: Mapping[Value, Slots]
    features: Mapping[Feature, Texts]
    choices: Mapping[Choice, ChoiceTable] = {}
    series: Mapping[Series, Texts] = {}
    stages: Mapping[Stage, Texts]
