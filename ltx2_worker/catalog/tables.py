"""The form of a family's file (ltx-2.toml): which tables it has, and what may stand in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints

from ltx2_api.progress import Stage


class Value(StrEnum):
    """Everything that a job sets in a graph, besides the files that it loads."""

    PROMPT = "prompt"
    SEED = "seed"
    SEED_2 = "seed_2"
    SEED_3 = "seed_3"
    STEPS = "steps"
    BASE_FPS = "base_fps"
    FPS = "fps"
    FIRST_WIDTH = "first_width"
    FIRST_HEIGHT = "first_height"
    BASE_FRAMES = "base_frames"
    WIDTH = "width"
    HEIGHT = "height"
    CROP_X = "crop_x"
    CROP_Y = "crop_y"
    FRAMES = "frames"
    IMAGE = "image"
    IMAGE_STRENGTH = "image_strength"
    CONTROL_VIDEO = "control_video"
    CONTROL_STRENGTH = "control_strength"
    CAMERA_STRENGTH = "camera_strength"
    FILE_PREFIX = "file_prefix"
    CRF = "crf"
    ENCODER = "encoder"
    BUFFER_MB = "buffer_mb"


class Feature(StrEnum):
    """What a job can leave out, and a recipe may not have."""

    CAMERA = "camera"
    IMAGE = "image"
    CONTROL = "control"
    SPATIAL_UPSCALER = "spatial_upscaler"
    TEMPORAL_UPSCALER = "temporal_upscaler"
    REFINING = "refining"
    DETAILER = "detailer"
    AUDIO = "audio"


class Choice(StrEnum):
    """An input that a job connects to one of several nodes."""

    STRUCTURE = "structure"


#: Values without which a feature would be switched on and then ignore what the job asked for.
VALUES_OF: Mapping[Feature, tuple[Value, ...]] = {
    Feature.CAMERA: (Value.CAMERA_STRENGTH,),
    Feature.IMAGE: (Value.IMAGE, Value.IMAGE_STRENGTH),
    Feature.CONTROL: (Value.CONTROL_VIDEO, Value.CONTROL_STRENGTH),
    Feature.REFINING: (Value.SEED_2,),
    Feature.DETAILER: (Value.SEED_3,),
}

#: Values that every recipe has to take.
ALWAYS = frozenset(Value) - {Value.STEPS} - {value for values in VALUES_OF.values() for value in values}


@dataclass(frozen=True)
class Slot:
    """An input of a node, the node by its title."""

    title: str
    name: str

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read "Node title.input"; the input's own name may have dots, the title has none.

        Raises:
            ValueError: it is not of this form.
        """
        title, dot, name = str(text).partition(".")
        if not (isinstance(text, str) and title and dot and name):
            raise ValueError('must be of the form "Node title.input"')
        return cls(title, name)

    def __str__(self) -> str:
        return f"{self.title}.{self.name}"


def _by_precision(value: Any) -> Any:
    """One id, several in the order of preference, or either by precision; "" stands for every precision."""
    by_precision = value if isinstance(value, Mapping) else {"": value}
    return {key: (ids,) if isinstance(ids, str) else ids for key, ids in by_precision.items()}


Text = Annotated[str, StringConstraints(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(gt=0, strict=True)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
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
    """Frames per second: `base` comes out of the first stage, and twice that of the temporal upscaler."""

    base: Count


class Arithmetic(_Table):
    """What estimates are computed from: the transformer's size, its fixed steps, the decoder's speed."""

    parameters: Amount
    blocks: Count
    width: Count
    refining_steps: Count
    detailing_steps: Count
    decoded_pixels_per_second: Amount


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
    """`[recipes.NAME]`: a workflow file, the files that no other recipe loads, and its first stage."""

    description: Text
    workflow: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")]
    steps: Annotated[Steps, BeforeValidator(_steps)]
    passes: Count
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
    """`[choices.NAME]`: an input, and the node that it is connected to for each value."""

    into: Annotated[Slot, PlainValidator(Slot.parse)]
    sources: Mapping[str, Text] = Field(alias="from")


class FamilyTable(_Table):
    """A family's file as a whole."""

    title: Text
    precisions: Texts
    named_by: Text
    latent: Latent
    rates: Rates
    arithmetic: Arithmetic
    recipes: Annotated[Mapping[str, RecipeTable], Field(min_length=1)]
    files: Mapping[str, RoleTable]
    controls: Mapping[str, ControlTable] = {}
    slots: Mapping[Value, Slots]
    features: Mapping[Feature, Texts]
    choices: Mapping[Choice, ChoiceTable] = {}
    stages: Mapping[Stage, Texts]
