"""A plan turned into the graph that the engine runs: its recipe's workflow file, bound to the job's numbers.

Each file is the complete graph. What a job does not use is bypassed, and what then feeds nothing is left out.
Values that no job changes live in the files; workflows/README.md says where each comes from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ltx2_api.progress import Stage

from ..catalog.inputs import GUIDANCE, Choice, Feature, Series, Value
from ..plan.parts import ControlPlan
from ..plan.plan import Plan
from ..plan.ways.enhance import draft
from .bind import Binding, bind
from .graph import Graph, Prompt, node_kinds
from .resident import unconnected_loaders

#: The choice of a job whose control video shows edges, depth or pose already.
PREPROCESSED = "preprocessed"
#: The choice of a job whose source's own sound is in the file.
SOURCE = "source"


#: The job's media as file names in the engine's input folder, by what takes them; of most there is one.
Media = Mapping[Value, Sequence[str]]


def stand_ins(plan: Plan) -> Media:
    """Return names for the files that a plan needs, for a graph that is looked at and not run."""
    return {value: (value,) * count for value, count in plan.media.items()}


@dataclass(frozen=True)
class BuiltGraph:
    """A graph ready for the engine.

    Attributes:
        prompt: nodes by id, in ComfyUI's API format.
        stage_of: the stage that a node works on, by the node's id; only of nodes that take seconds.
    """

    prompt: Prompt
    stage_of: Mapping[str, Stage]


@dataclass(frozen=True)
class Output:
    """Where the video goes, and how it is encoded.

    Attributes:
        crf: H.264 quality, 0 to 51.
        encoder: the encoder's address; empty: the engine encodes by itself, into a file of this prefix.
        prefix: where that file is put, below the output folder.
        buffer_bytes: how much memory frames may take that wait for the encoder.
    """

    crf: float
    encoder: str = ""
    prefix: str = "ltx-2"
    buffer_bytes: int = 500_000_000


def build(plan: Plan, media: Media, output: Output, *, resident: Sequence[Plan] = ()) -> BuiltGraph:
    """Build the graph of a plan.

    Arguments:
        plan: the job's numbers.
        media: the files that the plan's options need.
        output: where the video goes.
        resident: the same job by other recipes (`plan.by_recipe`), whose loaders the graph names too.
            ComfyUI's classic cache keeps what the last prompt names, so a switch of recipe reads no weights
            again; as nothing is connected to these nodes, they do not run.

    Raises:
        ValueError: `media` is not what the plan needs.
    """
    if {value: len(files) for value, files in media.items()} != plan.media:
        raise ValueError("the media are not those of the plan")
    graph = bound(plan, media, output)
    prompt = graph.prompt()
    stage_of = {
        key: stage
        for stage, titles in plan.family.stages.items()
        for title in titles
        if title in plan.recipe.titles
        for key in graph.ids_of(title)
    }
    for other in resident:
        label = f"{other.family.name}-{other.recipe.name}"
        used = bound(other, media, output).prompt()
        prompt = prompt | unconnected_loaders(used, node_kinds(), label)
    return BuiltGraph(prompt, {key: stage for key, stage in stage_of.items() if key in prompt})


def build_prompt_writing(
    plan: Plan, media: Media, prefix: str, *, resident: Sequence[Plan] = ()
) -> BuiltGraph:
    """Build the graph that writes a plan's prompt out, into a text file.

    Arguments:
        plan: the job's numbers.
        media: as for `build`; the language model looks at the start image.
        prefix: where the file is put, below the output folder.
        resident: as for `build`; the loaders of the plan's own graph are named too.
    """
    values: dict[Value, object] = {
        Value.DRAFT: draft(plan.prompt),
        Value.DRAFT_SEED: plan.seed,
        Value.PROMPT_FILE: prefix,
    }
    if image := media.get(Value.IMAGE):
        values[Value.IMAGE] = image[0]
    used = plan.features & {Feature.PICTURE} | {Feature.ENHANCE}
    graph = bind(plan.recipe, Binding(files=plan.files, values=values, features=used, choices={}))
    prompt = graph.prompt()
    titles = (title for title in plan.family.features[Feature.ENHANCE] if title in plan.recipe.titles)
    writing = {graph.id_of(title): Stage.PROMPT for title in titles}
    for other in (plan, *resident):
        label = f"{other.family.name}-{other.recipe.name}"
        loaded = bound(other, media, Output(0.0)).prompt()
        prompt = prompt | unconnected_loaders(loaded, node_kinds(), label)
    return BuiltGraph(prompt, writing)


def bound(plan: Plan, media: Media, output: Output) -> Graph:
    """Return the recipe's graph with everything that the plan decides, still with what it does not use."""
    pose, detailing = plan.family.pose, plan.family.detailing
    values: dict[Value, object | None] = {
        Value.PROMPT: plan.text,
        Value.SEED: plan.seed,
        Value.SEED_2: plan.seed + 1,
        Value.SEED_3: plan.seed + 2,
        Value.STEPS: plan.steps,
        Value.SHIFT: plan.shift,
        Value.REFINING_SIGMAS: ", ".join(str(sigma) for sigma in plan.refining_sigmas),
        Value.BASE_FPS: float(plan.base_fps),
        Value.CONDITIONING_FPS: float(min(plan.fps, plan.family.rates.conditioning_most)),
        # A splice has no surplus frame behind what is delivered: its sound must not end before it.
        Value.SOUND_FPS: float(plan.base_fps) if plan.splice else plan.family.rates.sound,
        Value.FPS: float(plan.fps),
        Value.FIRST_WIDTH: plan.first_canvas.width,
        Value.FIRST_HEIGHT: plan.first_canvas.height,
        Value.BASE_FRAMES: plan.base_frames,
        Value.WIDTH: plan.delivered.width,
        Value.HEIGHT: plan.delivered.height,
        Value.CROP_X: (plan.canvas.width - plan.delivered.width) // 2,
        Value.CROP_Y: (plan.canvas.height - plan.delivered.height) // 2,
        Value.FRAMES: plan.streamed_frames,
        Value.IMAGE_STRENGTH: plan.image_strength,
        Value.START_LEVEL: plan.start_level,
        Value.SOUND_BEGINS: plan.held_sound.begins if plan.held_sound else None,
        Value.SOUND_NEW_FROM: plan.held_sound.new_from if plan.held_sound else None,
        Value.SOUND_NEW_TO: plan.held_sound.new_to if plan.held_sound else None,
        Value.CONTROL_STRENGTH: plan.control.strength if plan.control else None,
        Value.CONTROL_REPEATS: _repeats(plan),
        Value.CAMERA_STRENGTH: plan.camera.strength if plan.camera else None,
        Value.FILE_PREFIX: output.prefix,
        Value.CRF: output.crf,
        Value.ENCODER: output.encoder,
        Value.BUFFER_MB: max(1, output.buffer_bytes // 1_000_000),
    }
    values |= {value: files[0] for value, files in media.items() if value is not Value.KEYFRAME_IMAGE}
    if held := plan.held_video:
        values |= {
            Value.HELD_AT: held.at,
            Value.HELD_LEAD: held.lead,
            Value.HELD_NEW_FROM: held.new_from,
            Value.HELD_NEW_TO: held.new_to,
        }
    if detailing:
        values |= {Value.DETAILER_WINDOW: detailing.window, Value.DETAILER_OVERLAP: detailing.overlap}
    if pose:
        side = max(plan.first_canvas.width, plan.first_canvas.height)
        values[Value.POSE_STICK_WIDTH] = pose.scaled(pose.stick_width, side)
        values[Value.POSE_POINT_SIZE] = pose.scaled(pose.point_size, side)
    if plan.guidance is not None:
        values |= {value: getattr(plan.guidance, value) for value in GUIDANCE}
    binding = Binding(
        files=plan.files,
        values={value: given for value, given in values.items() if given is not None},
        features=plan.features,
        choices=_choices(plan),
        series=_series(plan, media),
    )
    return bind(plan.recipe, binding)


def _series(plan: Plan, media: Media) -> dict[Series, list[dict[Value, object]]]:
    """What is asked for several times, each time with its values."""
    loras: list[dict[Value, object]] = [
        {Value.LORA_FILE: chosen.lora.file, Value.LORA_STRENGTH: chosen.strength} for chosen in plan.loras
    ]
    keyframes = _keyframes(plan, media.get(Value.KEYFRAME_IMAGE, ()))
    series = {Series.LORAS: loras, Series.KEYFRAMES: keyframes}
    return {name: values for name, values in series.items() if values}


def _keyframes(plan: Plan, files: Sequence[str]) -> list[dict[Value, object]]:
    """The values of each keyframe. A latent of more frames has its place elsewhere."""
    faster = plan.fps // plan.base_fps
    return [
        {
            Value.KEYFRAME_IMAGE: file,
            Value.KEYFRAME_FRAME: keyframe.frame,
            Value.KEYFRAME_FRAME_2: keyframe.frame * faster,
            Value.KEYFRAME_STRENGTH: keyframe.strength,
        }
        for keyframe, file in zip(plan.keyframes, files, strict=True)
    ]


def _repeats(plan: Plan) -> int:
    """How often a control's frames are repeated: a still guides every frame, not the first one alone."""
    return plan.base_frames if plan.control and not plan.control.has_video else 1


def _choices(plan: Plan) -> dict[Choice, str]:
    held = plan.held_sound
    chosen = {
        Choice.STRUCTURE: _structure(plan.control) if plan.control else None,
        Choice.SOUND: plan.recipe.sound,
        Choice.HEARD: SOURCE if held and held.is_heard else None,
    }
    return {choice: value for choice, value in chosen.items() if value is not None}


def _structure(control: ControlPlan) -> str:
    return PREPROCESSED if control.preprocessed else control.type
