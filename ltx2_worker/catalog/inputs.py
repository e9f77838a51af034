"""What a job sets in a graph: values, features that it can leave out, choices; and the slots of nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Value(StrEnum):
    """Everything that a job sets in a graph, besides the files that it loads."""

    PROMPT = "prompt"
    DRAFT = "draft"
    DRAFT_SEED = "draft_seed"
    PROMPT_FILE = "prompt_file"
    SEED = "seed"
    SEED_2 = "seed_2"
    SEED_3 = "seed_3"
    STEPS = "steps"
    SHIFT = "shift"
    VIDEO_CFG = "video_cfg"
    AUDIO_CFG = "audio_cfg"
    STG = "stg"
    MODALITY = "modality"
    RESCALE = "rescale"
    REFINING_SIGMAS = "refining_sigmas"
    DETAILER_WINDOW = "detailer_window"
    DETAILER_OVERLAP = "detailer_overlap"
    BASE_FPS = "base_fps"
    CONDITIONING_FPS = "conditioning_fps"
    SOUND_FPS = "sound_fps"
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
    KEYFRAME_IMAGE = "keyframe_image"
    KEYFRAME_FRAME = "keyframe_frame"
    KEYFRAME_FRAME_2 = "keyframe_frame_2"
    KEYFRAME_STRENGTH = "keyframe_strength"
    SOURCE_VIDEO = "source_video"
    HELD_AT = "held_at"
    HELD_LEAD = "held_lead"
    HELD_NEW_FROM = "held_new_from"
    HELD_NEW_TO = "held_new_to"
    START_LEVEL = "start_level"
    SOUND = "sound"
    SOUND_BEGINS = "sound_begins"
    SOUND_NEW_FROM = "sound_new_from"
    SOUND_NEW_TO = "sound_new_to"
    CONTROL_VIDEO = "control_video"
    CONTROL_STRENGTH = "control_strength"
    CONTROL_REPEATS = "control_repeats"
    POSE_STICK_WIDTH = "pose_stick_width"
    POSE_POINT_SIZE = "pose_point_size"
    CAMERA_STRENGTH = "camera_strength"
    LORA_FILE = "lora_file"
    LORA_STRENGTH = "lora_strength"
    FILE_PREFIX = "file_prefix"
    CRF = "crf"
    ENCODER = "encoder"
    BUFFER_MB = "buffer_mb"


class Feature(StrEnum):
    """What a job can leave out, and a recipe may not have."""

    VIDEO = "video"
    ENHANCE = "enhance"
    PICTURE = "picture"
    CAMERA = "camera"
    LORAS = "loras"
    IMAGE = "image"
    COMPRESSION = "compression"
    CONTROL = "control"
    KEYFRAMES = "keyframes"
    GUIDES = "guides"
    HELD_VIDEO = "held_video"
    HELD_AGAIN = "held_again"
    START_LEVEL = "start_level"
    HELD_SOUND = "held_sound"
    NOISE_LEVELS = "noise_levels"
    SPATIAL_UPSCALER = "spatial_upscaler"
    TEMPORAL_UPSCALER = "temporal_upscaler"
    REFINING = "refining"
    DETAILER = "detailer"
    AUDIO = "audio"


class Choice(StrEnum):
    """An input that is connected to one of several nodes: as a job says, or its recipe."""

    STRUCTURE = "structure"
    SOUND = "sound"
    HEARD = "heard"


class Series(StrEnum):
    """What a job can ask for several times: nodes that are repeated in a row, each time with other values."""

    KEYFRAMES = "keyframes"
    LORAS = "loras"


#: Values without which a feature would be switched on and then ignore what the job asked for.
VALUES_OF: Mapping[Feature, tuple[Value, ...]] = {
    Feature.ENHANCE: (Value.DRAFT, Value.DRAFT_SEED, Value.PROMPT_FILE),
    Feature.CAMERA: (Value.CAMERA_STRENGTH,),
    Feature.IMAGE: (Value.IMAGE, Value.IMAGE_STRENGTH),
    Feature.CONTROL: (Value.CONTROL_VIDEO, Value.CONTROL_STRENGTH, Value.CONTROL_REPEATS),
    Feature.LORAS: (Value.LORA_FILE, Value.LORA_STRENGTH),
    Feature.KEYFRAMES: (
        Value.KEYFRAME_IMAGE,
        Value.KEYFRAME_FRAME,
        Value.KEYFRAME_FRAME_2,
        Value.KEYFRAME_STRENGTH,
    ),
    Feature.HELD_VIDEO: (
        Value.SOURCE_VIDEO,
        Value.HELD_AT,
        Value.HELD_LEAD,
        Value.HELD_NEW_FROM,
        Value.HELD_NEW_TO,
    ),
    Feature.START_LEVEL: (Value.START_LEVEL,),
    Feature.HELD_SOUND: (Value.SOUND, Value.SOUND_BEGINS, Value.SOUND_NEW_FROM, Value.SOUND_NEW_TO),
    Feature.REFINING: (Value.SEED_2, Value.REFINING_SIGMAS, Value.CONDITIONING_FPS),
    Feature.DETAILER: (Value.SEED_3, Value.DETAILER_WINDOW, Value.DETAILER_OVERLAP, Value.CONDITIONING_FPS),
}

#: Values of a recipe that is guided.
GUIDANCE = (Value.VIDEO_CFG, Value.AUDIO_CFG, Value.STG, Value.MODALITY, Value.RESCALE)

#: Values of a recipe whose graph draws poses.
POSE = (Value.POSE_STICK_WIDTH, Value.POSE_POINT_SIZE)

#: Values that every recipe has to take.
ALWAYS = (
    frozenset(Value)
    - {Value.STEPS, Value.SHIFT, *GUIDANCE, *POSE}
    - {value for values in VALUES_OF.values() for value in values}
)


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
