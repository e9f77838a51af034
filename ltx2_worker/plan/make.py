"""A job becomes a plan: all that is to be decided about a generation is decided here."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.fields import MAX_SEED
from ltx2_api.job import JobInput

from ..catalog.catalogue import Catalogue, catalogue
from ..catalog.family import Installed, Movement, Recipe, preferred
from ..catalog.files import ModelFile
from ..catalog.inputs import Feature
from ..catalog.own_loras import OwnLora
from .geometry import DELIVERED, PREVIEW, PREVIEW_SECONDS, Size, canvas_for, frames_to_generate
from .parts import CameraPlan, ControlPlan
from .plan import Plan
from .refusals import no_such_field, refused
from .ways import with_ways


def make_plan(
    job: JobInput,
    *,
    installed: Installed,
    default_camera: str = "static",
    pro_guidance: Literal["full", "plain"] = "full",
    offered: Collection[str] | None = None,
    among: Catalogue | None = None,
    own_loras: Mapping[str, OwnLora] | None = None,
) -> Plan:
    """Turn a checked job into a plan.

    Arguments:
        installed: tells whether a model file is here; decides between files that can stand in for each other.
        default_camera: the operator's choice for jobs that name no camera and have no control.
        pro_guidance: the operator's choice for recipes that are guided.
        offered: the families that a job may name, the first that is installed being its default; None: all.
        among: what can be made; None: the project's own catalogue.
        own_loras: the operator's, by name.

    Raises:
        WorkerError: OVER_BUDGET; MODEL_NOT_INSTALLED for a family that is not offered; INVALID_INPUT for what
            the recipe does not have, and for a camera_strength without a camera.
    """
    _require_affordable(job)
    recipe = _recipe(job, offered, among or catalogue(), installed)
    spatial, temporal = _spatial_upscaler(job, recipe), _switch(job, recipe, Feature.TEMPORAL_UPSCALER)
    camera, sentence = _camera(job, recipe, default_camera)
    control = _control(job, recipe, installed)
    guidance, downscale = recipe.guidance, control.model.reference_downscale if control else 1
    delivered, seconds = _delivered(job)
    latent, base_fps = recipe.family.latent, recipe.family.rates.base
    fps = 2 * base_fps if temporal else base_fps
    plan = Plan(
        mode=job.effective_mode,
        recipe=recipe,
        precision=job.precision,
        preview=job.preview,
        prompt=job.prompt,
        sentence=sentence,
        seed=secrets.randbelow(MAX_SEED + 1) if job.seed is None else job.seed,
        steps=_steps(job, recipe),
        guidance=guidance.chosen(pro_guidance, has_control=control is not None) if guidance else None,
        delivered=delivered,
        canvas=canvas_for(delivered, latent, reference_downscale=downscale, two_stage=spatial),
        seconds=seconds,
        base_fps=base_fps,
        fps=fps,
        frames=seconds * fps,
        base_frames=frames_to_generate(seconds * base_fps, latent),
        spatial_upscaler=spatial,
        temporal_upscaler=temporal,
        detailer=_switch(job, recipe, Feature.DETAILER),
        audio=_switch(job, recipe, Feature.AUDIO),
        image_strength=_image_strength(job, recipe),
        camera=camera,
        control=control,
        files=_files(recipe, job.precision, camera, control, installed),
        credits=job.credits,
    )
    return with_ways(job, plan, own_loras or {})


def by_recipe(plan: Plan, recipe: Recipe, installed: Installed) -> Plan:
    """Return the plan of the same job by another recipe.

    A recipe of another family has neither the plan's camera nor its control, whose files are of one family.
    """
    same = recipe.family is plan.family
    camera, control = (plan.camera, plan.control) if same else (None, None)
    precision = plan.precision if plan.precision in recipe.family.precisions else recipe.family.precisions[0]
    return replace(
        plan,
        recipe=recipe,
        precision=precision,
        guidance=recipe.guidance.full if recipe.guidance else None,
        sentence=plan.sentence if same else "",
        camera=camera,
        control=control,
        loras=plan.loras if same else (),
        files=_files(recipe, precision, camera, control, installed),
    )


def _recipe(job: JobInput, offered: Collection[str] | None, among: Catalogue, installed: Installed) -> Recipe:
    families = [each.name for each in among.families if offered is None or each.name in offered]
    here = among.installed(installed, families)
    if job.model is not None and job.model not in families:
        raise not_offered(job.model, here)
    family = job.model or (here or families)[0]
    recipe = among.recipe(family, job.quality)
    if recipe is None:
        known = " or ".join(each.name for each in among.recipes if each.family.name == family)
        raise refused("quality", f"quality must be {known} with {family}.")
    if job.precision not in recipe.family.precisions:
        known = " or ".join(recipe.family.precisions)
        raise refused("precision", f"precision must be {known} with {family}.")
    return recipe


def not_offered(model: str, here: Collection[str]) -> WorkerError:
    """The error of a job for a family that an endpoint does not offer.

    Arguments:
        here: the families that it does offer.
    """
    instead = f"ask for {' or '.join(here)}" if here else "it has no other either"
    return WorkerError(
        ErrorCode.MODEL_NOT_INSTALLED, f"This endpoint does not offer {model}: {instead}.", field="model"
    )


def _require_affordable(job: JobInput) -> None:
    if job.max_credits is not None and job.credits > job.max_credits:
        raise WorkerError(
            ErrorCode.OVER_BUDGET,
            f"The job costs {job.credits} credits, more than its max_credits of {job.max_credits}.",
            field="max_credits",
        )


def _delivered(job: JobInput) -> tuple[Size, int]:
    if job.preview:
        return PREVIEW[job.aspect], PREVIEW_SECONDS
    return DELIVERED[job.resolution, job.aspect], job.duration


def _spatial_upscaler(job: JobInput, recipe: Recipe) -> bool:
    """A first stage of 224x128 would decide a preview's composition: smaller than the model was made for.

    The smallest of ComfyUI's templates is 640x352.
    """
    wanted = _switch(job, recipe, Feature.SPATIAL_UPSCALER)
    return wanted and (not job.preview or job.given("spatial_upscaler"))


def _steps(job: JobInput, recipe: Recipe) -> int:
    steps = recipe.steps
    if job.steps is None or steps.least <= job.steps <= steps.most:
        return job.steps or steps.default
    allowed = f"{steps.least} to {steps.most}" if steps.chosen else str(steps.default)
    raise refused("steps", f"steps must be {allowed} with quality {recipe.name}.")


def _switch(job: JobInput, recipe: Recipe, feature: Feature) -> bool:
    """A switch of the job. One that is on by default is off where the recipe has nothing to switch on."""
    on = bool(getattr(job, feature.value))
    if not on or recipe.offers(feature):
        return on
    if job.given(feature.value):
        raise no_such_field(feature.value, recipe)
    return False


def _image_strength(job: JobInput, recipe: Recipe) -> float | None:
    if not job.has_image:
        return None
    if not recipe.offers(Feature.IMAGE):
        raise no_such_field("image_url" if job.image_url is not None else "image_base64", recipe)
    return recipe.family.image_strength if job.image_strength is None else job.image_strength


def _camera(job: JobInput, recipe: Recipe, default: str) -> tuple[CameraPlan | None, str]:
    """The LoRA that moves the camera, or the sentence that does, where the job itself asks for it."""
    # A control says how the camera moves: no official graph adds a camera LoRA to one without being asked.
    # Nor is one added to a video that is sent, which has its own movement.
    name = job.camera or (default if job.control is None and not job.has_source else "none")
    movement = recipe.family.cameras.get(name, Movement())
    if movement.lora is not None and recipe.offers(Feature.CAMERA):
        return CameraPlan(movement.lora, job.camera_strength), ""
    is_asked_for = job.camera not in (None, "none")
    if is_asked_for and movement.sentence is None:
        raise no_such_field("camera", recipe)
    if job.given("camera_strength"):
        raise refused("camera_strength", _why_no_strength(job, recipe))
    return None, movement.sentence or "" if is_asked_for else ""


def _why_no_strength(job: JobInput, recipe: Recipe) -> str:
    if not any(movement.lora for movement in recipe.family.cameras.values()):
        return f"{recipe.family.title} has no camera LoRAs: leave camera_strength out."
    why = "this endpoint's default is none"
    if job.control is not None or job.has_source:
        why = "a job with a control, or with a video that is worked on, has no default"
    return f"camera_strength needs a camera: name one, as {why}."


def _control(job: JobInput, recipe: Recipe, installed: Installed) -> ControlPlan | None:
    control = job.control
    if control is None:
        return None
    way = recipe.family.controls.get(control.type)
    if way is None or not recipe.offers(Feature.CONTROL):
        raise no_such_field("control", recipe)
    return ControlPlan(
        type=control.type,
        model=preferred(way.loras, installed),
        strength=control.strength,
        preprocessed=control.preprocessed,
        # Without a video of its own, it follows the one that is sent, if there is one.
        has_video=control.has_video or job.has_source,
        seconds_per_frame=way.seconds_per_frame,
    )


def _files(
    recipe: Recipe,
    precision: str,
    camera: CameraPlan | None,
    control: ControlPlan | None,
    installed: Installed,
) -> dict[str, ModelFile]:
    chosen = {role: plan.model for role, plan in (("camera", camera), ("control", control)) if plan}
    return recipe.files(precision, installed) | chosen
