"""A plan turned into the graph that the engine runs: workflows/{fast,pro}.json, set to the job's numbers.

Each file is the complete graph. What a job does not use is bypassed, and what then feeds nothing is left out.
Values that no job changes live in the files; workflows/README.md says where each comes from.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from ltx2_api.job import ControlType
from ltx2_api.prices import Quality
from ltx2_api.progress import Stage

from ..catalog.files import manifest
from ..plan.geometry import BASE_FPS
from ..plan.guidance import FULL
from ..plan.plan import Plan
from .graph import Graph, Prompt, node_kinds
from .resident import unconnected_loaders

WORKFLOWS = Path(__file__).parents[2] / "workflows"

#: What the pro recipe steers away from. Source: ComfyUI's LTX-2 templates and Lightricks' workflows.
NEGATIVE_PROMPT = (
    "blurry, low quality, still frame, frames, watermark, overlay, titles, has blurbox, has subtitles"
)

#: Strength of the distilled LoRA in the pro recipe's second stage. Source: the README of Lightricks'
#: ltx-pipelines; its workflows take 0.6, ComfyUI's templates 1.0.
DISTILLED_LORA_STRENGTH = 0.8

#: Frames per second as the empty sound latent is told them, for its length alone: ComfyUI rounds the number
#: of latents up, ltx-core to the nearest. This gives ltx-core's number for every length that is generated.
SOUND_FPS = 24.04

#: The loaders whose file is the same for every job: node title, input, model file id.
FIXED_FILES = (
    ("Text encoder", "text_encoder", "text_encoder"),
    ("Detailer LoRA", "lora_name", "detailer"),
    ("Temporal upscaler model", "model_name", "temporal_upscaler"),
    ("Spatial upscaler model", "model_name", "spatial_upscaler"),
    ("Depth model", "model_name", "depth_model"),
    ("Pose model", "ckpt_name", "pose_model"),
    ("Person detector model", "unet_name", "person_detector"),
)

#: The node whose picture guides the video, for each type of control.
STRUCTURE: dict[ControlType, str] = {
    "canny": "Canny edges",
    "depth": "Depth map",
    "pose": "Pose skeletons",
}

#: The nodes that take time, by what a caller is told meanwhile.
TITLES: dict[Stage, tuple[str, ...]] = {
    Stage.LOADING: ("Checkpoint", "Text encoder", "Audio VAE"),
    Stage.PROMPT: ("Prompt", "Negative prompt", "Detailer prompt"),
    Stage.CONTROL: (
        *("Control video frames", "Control size", "Control frames", "Depth estimation"),
        *("Person detection", "Pose keypoints", *STRUCTURE.values(), "Control guide"),
    ),
    Stage.SAMPLING: ("Stage 1 sampling",),
    Stage.REFINING: ("Temporal upscaler", "Spatial upscaler", "Stage 2 start image", "Stage 2 sampling"),
    Stage.DETAILING: ("Detailer sampling",),
    Stage.DECODING: ("Decoded video", "Decoded audio"),
    Stage.ENCODING: ("Save video",),
}


@dataclass(frozen=True)
class Media:
    """The job's media as file names in the engine's input folder.

    Attributes:
        image: the start image, a still picture fitted to the plan's canvas.
        control: the control video, fitted to the canvas, at 24 fps, one frame or more.
    """

    image: str | None = None
    control: str | None = None


@dataclass(frozen=True)
class BuiltGraph:
    """A graph ready for the engine.

    Attributes:
        prompt: nodes by id, in ComfyUI's API format.
        stage_of: what a node that takes time works on, by id; other nodes take none worth showing.
    """

    prompt: Prompt
    stage_of: Mapping[str, Stage]


def build(plan: Plan, media: Media, prefix: str, *, crf: float, resident: bool = False) -> BuiltGraph:
    """Build the graph of a plan.

    Arguments:
        plan: the job's numbers.
        media: the files that the plan's options need.
        prefix: where SaveVideo puts the file, below the output folder; the job's own, because the engine
            answers a graph that it knows with the file it wrote before.
        crf: H.264 quality, 0 to 51.
        resident: name the other recipe's loaders too. ComfyUI's classic cache keeps what the last prompt
            names, so a switch of recipe reads no weights again; as nothing is connected to these nodes, they
            do not run, and their files need not be there.

    Raises:
        ValueError: `media` is not what the plan needs.
    """
    if (media.image is None) != (plan.image_strength is None) or (media.control is None) != (
        plan.control is None
    ):
        raise ValueError("the media are not those of the plan")
    graph = _graph(plan, media, prefix, crf)
    prompt = graph.prompt()
    stage_of = {graph.id_of(title): stage for stage, titles in TITLES.items() for title in titles}
    if resident:
        other = _graph(_in_other_recipe(plan), media, prefix, crf)
        prompt = prompt | unconnected_loaders(other.prompt(), node_kinds())
    return BuiltGraph(prompt, {key: stage for key, stage in stage_of.items() if key in prompt})


@cache
def workflow(quality: Quality) -> Prompt:
    """Return a recipe's complete graph as it is in its file; not to be changed."""
    prompt: Prompt = json.loads((WORKFLOWS / f"{quality}.json").read_text(encoding="utf-8"))
    return prompt


def _graph(plan: Plan, media: Media, prefix: str, crf: float) -> Graph:
    graph = Graph(workflow(plan.quality), node_kinds())
    _set_models(graph, plan)
    _set_prompt(graph, plan)
    _set_start_image(graph, plan, media)
    _set_control(graph, plan, media)
    _set_first_stage(graph, plan)
    _set_second_stage(graph, plan)
    _set_detailer(graph, plan)
    _set_output(graph, plan, prefix, crf)
    return graph


def _in_other_recipe(plan: Plan) -> Plan:
    """The same job by the other recipe: of all that it might be, it shares the most with this one."""
    other: Quality = "pro" if plan.quality == "fast" else "fast"
    checkpoint = manifest()[plan.checkpoint.id.replace(plan.quality, other)]
    return replace(plan, quality=other, checkpoint=checkpoint, guidance=FULL if other == "pro" else None)


def _set_models(graph: Graph, plan: Plan) -> None:
    for title in ("Checkpoint", "Text encoder", "Audio VAE"):
        graph.set(title, ckpt_name=plan.checkpoint.name)
    for title, name, file_id in FIXED_FILES:
        graph.set(title, **{name: manifest()[file_id].name})
    if plan.quality == "pro":
        graph.set(
            "Distilled LoRA",
            lora_name=manifest()["distilled_lora"].name,
            strength_model=DISTILLED_LORA_STRENGTH,
        )
    if plan.camera:
        graph.set("Camera LoRA", lora_name=plan.camera.model.name, strength_model=plan.camera.strength)
    else:
        graph.bypass("Camera LoRA")


def _set_prompt(graph: Graph, plan: Plan) -> None:
    graph.set("Prompt", text=plan.prompt)
    if plan.guidance is not None:
        graph.set("Negative prompt", text=NEGATIVE_PROMPT)
        graph.set("Stage 1 guider", **asdict(plan.guidance))
        graph.set("Stage 1 sigmas", steps=plan.steps)
    graph.set("Stage 1 conditioning", frame_rate=float(BASE_FPS))


def _set_start_image(graph: Graph, plan: Plan, media: Media) -> None:
    if plan.image_strength is None:
        graph.bypass("Stage 1 start image", "Stage 2 start image")
        return
    graph.set("Start image", image=media.image)
    graph.set("Stage 1 start image", strength=plan.image_strength)


def _set_control(graph: Graph, plan: Plan, media: Media) -> None:
    control = plan.control
    if control is None:
        graph.bypass("Control LoRA", "Control guide", "Control guide removal")
        return
    graph.set("Control LoRA", lora_name=control.model.name)
    graph.set("Control video", file=media.control)
    graph.set("Control size", width=plan.first_canvas.width, height=plan.first_canvas.height)
    graph.set("Control frames", length=plan.base_frames)
    graph.set("Control guide", strength=control.strength)
    graph.connect(
        "Control guide", "image", "Control frames" if control.preprocessed else STRUCTURE[control.type]
    )


def _set_first_stage(graph: Graph, plan: Plan) -> None:
    graph.set(
        "Empty video latent",
        width=plan.first_canvas.width,
        height=plan.first_canvas.height,
        length=plan.base_frames,
    )
    graph.set("Empty audio latent", frames_number=plan.base_frames, frame_rate=SOUND_FPS)
    graph.set("Stage 1 noise", noise_seed=plan.seed)


def _set_second_stage(graph: Graph, plan: Plan) -> None:
    if not plan.spatial_upscaler:
        graph.bypass("Spatial upscaler")
    if not plan.temporal_upscaler:
        graph.bypass("Temporal upscaler")
    if not plan.refined:
        graph.bypass("Stage 2 start image", "Stage 2 sampling")
        return
    graph.set("Stage 2 conditioning", frame_rate=float(plan.fps))
    graph.set("Stage 2 sigmas", sigmas=", ".join(str(sigma) for sigma in plan.refining_sigmas))
    graph.set("Stage 2 noise", noise_seed=plan.seed + 1)


def _set_detailer(graph: Graph, plan: Plan) -> None:
    if not plan.detailer:
        graph.bypass("Detailer sampling")
        return
    graph.set("Detailer conditioning", frame_rate=float(plan.fps))
    graph.set("Detailer noise", noise_seed=plan.seed + 2)


def _set_output(graph: Graph, plan: Plan, prefix: str, crf: float) -> None:
    if not plan.audio:
        graph.bypass("Decoded audio")
    graph.set(
        "Exact size",
        width=plan.delivered.width,
        height=plan.delivered.height,
        x=(plan.canvas.width - plan.delivered.width) // 2,
        y=(plan.canvas.height - plan.delivered.height) // 2,
    )
    graph.set("Exact frames", length=plan.frames)
    graph.set("Video", fps=float(plan.fps))
    graph.set("Save video", filename_prefix=prefix, **{"codec.encoding.crf": crf})
