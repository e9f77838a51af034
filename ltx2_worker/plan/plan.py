"""A job turned into exact numbers: sizes, frames, recipe, seed, files, credits; all is decided here."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import MAX_SEED, Camera, ControlType, JobInput, Mode
from ltx2_api.prices import Quality, credits_for

from ..catalog.files import ModelFile, manifest
from .geometry import BASE_FPS, DELIVERED, PREVIEW, PREVIEW_SECONDS, Size, canvas_for, frames_to_generate
from .guidance import Guidance, GuidanceName, guidance_for

#: Steps of the distilled recipe's first stage: the length of its fixed list of sigmas.
FAST_STEPS = 8
DEFAULT_PRO_STEPS = 30
#: Noise levels of the pass that refines what the spatial upscaler gives. Source: ComfyUI's templates,
#: Lightricks' workflows and ltx-pipelines, all the same.
REFINING_SIGMAS = (0.909375, 0.725, 0.421875, 0.0)
#: After the temporal upscaler, whose new frames need more. Source: ltx-pipelines 1.2.0, `dfr_pipeline.py`,
#: the one recipe of Lightricks that has one: it refines in four steps, from 0.975.
REFINING_SIGMAS_AFTER_TEMPORAL = (0.975, *REFINING_SIGMAS)


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


@dataclass(frozen=True)
class Need:
    """A model file that the graph loads, and the job's field that asks for it."""

    file: ModelFile
    field: str


@dataclass(frozen=True)
class Plan:
    """Everything about one generation, in exact numbers.

    Attributes:
        delivered: size of the video in the file, pixels.
        canvas: size that is generated; the delivered video is its centre crop.
        frames: frames in the file; a multiple of 24 (48 with the temporal upscaler).
        base_frames: frames of the first stage, 8n+1, at 24 fps.
        fps: frames per second in the file, 24 or 48.
        guidance: of the first stage; None for the distilled recipe, which has none.
        image_strength: None without a start image.
        needs: every model file that the graph loads.
    """

    mode: Mode
    quality: Quality
    preview: bool
    prompt: str
    seed: int
    steps: int
    guidance: Guidance | None
    delivered: Size
    canvas: Size
    seconds: int
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
    checkpoint: ModelFile
    needs: tuple[Need, ...]
    credits: int

    @property
    def refined(self) -> bool:
        """Whether there is a second stage: any upscaler is followed by a refining pass."""
        return self.spatial_upscaler or self.temporal_upscaler

    @property
    def refining_sigmas(self) -> tuple[float, ...]:
        """Noise levels of the refining pass."""
        return REFINING_SIGMAS_AFTER_TEMPORAL if self.temporal_upscaler else REFINING_SIGMAS

    @property
    def first_canvas(self) -> Size:
        """Size of the first stage: half the canvas if the spatial upscaler doubles it."""
        return Size(self.canvas.width // 2, self.canvas.height // 2) if self.spatial_upscaler else self.canvas

    @property
    def generated_frames(self) -> int:
        """Frames that come out of the last stage; the temporal upscaler makes 2F-1 of F."""
        return 2 * self.base_frames - 1 if self.temporal_upscaler else self.base_frames


def make_plan(
    job: JobInput,
    *,
    installed: Callable[[ModelFile], bool],
    default_camera: Camera = "static",
    pro_guidance: GuidanceName = "full",
) -> Plan:
    """Turn a checked job into a plan.

    Arguments:
        job: the caller's wishes.
        installed: tells whether a model file is here; decides between LoRAs that can stand in for each other.
        default_camera: the operator's choice for jobs that name no camera and have no control.
        pro_guidance: the operator's choice for the pro recipe.

    Raises:
        WorkerError: OVER_BUDGET if the job costs more than its max_credits; INVALID_INPUT for a
            camera_strength without a camera.
    """
    price = credits_for(job.quality, job.resolution, job.duration, preview=job.preview)
    if job.max_credits is not None and price > job.max_credits:
        raise WorkerError(
            ErrorCode.OVER_BUDGET,
            f"The job costs {price} credits, more than its max_credits of {job.max_credits}.",
            field="max_credits",
        )
    camera = _camera(job, default_camera)
    control = _control(job, installed)
    delivered = PREVIEW if job.preview else DELIVERED[job.resolution]
    seconds = PREVIEW_SECONDS if job.preview else job.duration
    # A first stage of 224x128 would decide a preview's composition: smaller than the model was made for. The
    # smallest of ComfyUI's templates is 640x352.
    two_stage = job.spatial_upscaler and (job.given("spatial_upscaler") or not job.preview)
    fps = 2 * BASE_FPS if job.temporal_upscaler else BASE_FPS
    checkpoint = manifest()[f"checkpoint_{job.quality}{'_full' if job.precision == 'full' else ''}"]
    return Plan(
        mode=job.effective_mode,
        quality=job.quality,
        preview=job.preview,
        prompt=job.prompt,
        seed=secrets.randbelow(MAX_SEED + 1) if job.seed is None else job.seed,
        steps=FAST_STEPS if job.quality == "fast" else job.steps or DEFAULT_PRO_STEPS,
        guidance=guidance_for(pro_guidance, has_control=control is not None)
        if job.quality == "pro"
        else None,
        delivered=delivered,
        canvas=canvas_for(
            delivered,
            even_first_latent=control is not None and control.model.id == "control_union",
            two_stage=two_stage,
        ),
        seconds=seconds,
        fps=fps,
        frames=seconds * fps,
        base_frames=frames_to_generate(seconds * BASE_FPS),
        spatial_upscaler=two_stage,
        temporal_upscaler=job.temporal_upscaler,
        detailer=job.detailer,
        audio=job.audio,
        image_strength=job.image_strength if job.has_image else None,
        camera=camera,
        control=control,
        checkpoint=checkpoint,
        needs=tuple(_needs(job, checkpoint, camera, control, two_stage=two_stage)),
        credits=price,
    )


def require_installed(plan: Plan, installed: Callable[[ModelFile], bool]) -> None:
    """Check that every model file of a plan is here.

    Raises:
        WorkerError: MODEL_NOT_INSTALLED naming the files that are not.
    """
    missing = [need for need in plan.needs if not installed(need.file)]
    if missing:
        names = ", ".join(need.file.name for need in missing)
        raise WorkerError(
            ErrorCode.MODEL_NOT_INSTALLED,
            f"This endpoint has no {names}, which {missing[0].field} needs: ask its operator to install it, "
            f"or ask for another {missing[0].field}.",
            field=missing[0].field,
        )


def _camera(job: JobInput, default: Camera) -> CameraPlan | None:
    # A control says how the camera moves: no official graph adds a camera LoRA to one without being asked.
    has_default = default != "none" and job.control is None
    camera = job.camera or (default if has_default else "none")
    if camera == "none":
        if job.given("camera_strength"):
            why = (
                "this endpoint's default is none"
                if job.control is None
                else "a job with control has no default"
            )
            raise WorkerError(
                ErrorCode.INVALID_INPUT,
                f"camera_strength needs a camera: name one, as {why}.",
                field="camera_strength",
            )
        return None
    return CameraPlan(manifest()[f"camera_{camera}"], job.camera_strength)


def _control(job: JobInput, installed: Callable[[ModelFile], bool]) -> ControlPlan | None:
    control = job.control
    if control is None:
        return None
    # Lightricks replaced the single canny and depth LoRAs by one for all three; either may be installed.
    single, union = manifest()[f"control_{control.type}"], manifest()["control_union"]
    model = union if installed(union) and not installed(single) else single
    return ControlPlan(control.type, model, control.strength, control.preprocessed, control.has_video)


def _needs(
    job: JobInput,
    checkpoint: ModelFile,
    camera: CameraPlan | None,
    control: ControlPlan | None,
    *,
    two_stage: bool,
) -> Iterator[Need]:
    listed = manifest()
    yield Need(checkpoint, "precision" if job.precision == "full" else "quality")
    yield Need(listed["text_encoder"], "prompt")
    if two_stage:
        yield Need(listed["spatial_upscaler"], "spatial_upscaler")
    if job.temporal_upscaler:
        yield Need(listed["temporal_upscaler"], "temporal_upscaler")
    if job.quality == "pro" and (two_stage or job.temporal_upscaler):
        yield Need(listed["distilled_lora"], "quality")
    if camera is not None:
        yield Need(camera.model, "camera")
    if job.detailer:
        yield Need(listed["detailer"], "detailer")
    if control is not None:
        yield Need(control.model, "control")
        if control.type == "depth" and not control.preprocessed:
            yield Need(listed["depth_model"], "control")
        if control.type == "pose" and not control.preprocessed:
            yield Need(listed["pose_model"], "control")
            yield Need(listed["person_detector"], "control")
