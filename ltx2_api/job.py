"""Everything a caller may send: the one place from which validation, JSON Schema and the docs' table come."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from .bounds import MAX_NAME, check_bounds
from .errors import MAX_FAULTS, ErrorCode, Fault, WorkerError
from .names import NAMES, Camera, ControlType, Precision, Quality
from .prices import Duration, Resolution

Mode = Literal["t2v", "i2v"]

#: Largest integer that JSON clients written in JavaScript keep exact.
MAX_SEED = 2**53 - 1

#: What each recipe is, for the caller; steps that a job may ask for, which recipes take them, which do not.
QUALITIES = "; ".join(f"{name}: {recipe.description}" for name, recipe in NAMES.recipes.items())
STEPS = NAMES.chosen_steps
CHOSEN = " or ".join(filter(NAMES.takes_steps, NAMES.qualities))
FIXED = " and ".join(name for name in NAMES.qualities if not NAMES.takes_steps(name))

#: Settings of other workers that are no user setting here; present, they are answered with a warning.
IGNORED_FIELDS = ("negative_prompt", "cfg", "guidance_scale")


def _whole(value: object) -> object:
    """30.0 is an integer in JSON Schema (2020-12, Validation 6.1.1), and what some clients write for 30."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Strength = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
#: A URL or base64 text; how long the decoded file may be is a matter of settings.
MediaText = Annotated[str, StringConstraints(min_length=1)]


class _Input(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    def given(self, field: str) -> bool:
        """Whether the caller wrote this field."""
        return field in self.model_fields_set


class ControlInput(_Input):
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
        return self.video_url is not None or self.video_base64 is not None


class JobInput(_Input):
    """One job, as the caller wrote it, each field checked and the fields checked against each other."""

    mode: Mode | None = Field(None, description="t2v or i2v; default: i2v if an image is given.")
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"\S")] = Field(
        description="What is seen and heard, over time; 1 to 4,000 characters. The model reads 1,024 tokens; "
        "a warning says where a longer one was cut."
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
    duration: Duration = Field(
        10, description="Seconds, delivered exactly: 240, 360 or 480 frames at 24 fps."
    )
    camera: Camera | None = Field(
        None,
        description="Camera-control LoRA; none: the prompt moves it. Default: static, or the operator's; "
        "none beside a control.",
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
    image_strength: Strength = Field(
        1.0, description="How hard the first stage holds on to the image (lower moves more)."
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

    @property
    def has_image(self) -> bool:
        """Whether a start image was sent."""
        return self.image_url is not None or self.image_base64 is not None

    @property
    def effective_mode(self) -> Mode:
        """The mode asked for, or the one that the start image implies."""
        return self.mode or ("i2v" if self.has_image else "t2v")

    @classmethod
    def parse(cls, raw: object) -> tuple[Self, tuple[str, ...]]:
        """Check a job's `input` and return it with the warnings for the reply.

        Raises:
            WorkerError: INVALID_INPUT with every fault found, fields and combinations alike.
        """
        check_bounds(raw)
        if not isinstance(raw, Mapping):
            raise _refused((Fault("input", "input must be a JSON object with at least a prompt."),))
        if odd := [_printable(str(name)) for name in raw if not _is_text(name)]:
            raise _refused(tuple(Fault(name, f"{name} is not a field of this job.") for name in odd))
        warnings = tuple(
            f"{name} is not a setting of this worker and was ignored."
            for name in IGNORED_FIELDS
            if name in raw
        )
        fields = _without_nulls({key: value for key, value in raw.items() if key not in IGNORED_FIELDS})
        try:
            job = cls.model_validate(fields)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            wrong = {str(detail["loc"][0]) for detail in details}
            # The combinations of what is left are checked too, so that a caller hears of everything at once.
            rest = {key: value for key, value in fields.items() if key not in wrong}
            probe = cls.model_validate({"prompt": "-"} | rest)
            faults = [_fault(detail) for detail in details[:MAX_FAULTS]]
            unsaid = len(details) - len(faults)
            raise _refused((*faults, *_contradictions(probe, wrong)), unsaid) from None
        contradictions = tuple(_contradictions(job, frozenset()))
        if contradictions:
            raise _refused(contradictions)
        return job, warnings + _preview_warnings(job)


def _without_nulls(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Leave out what is null, here and in nested objects: to clients, null means "the default"."""
    return {
        str(key): _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in fields.items()
        if value is not None
    }


def _contradictions(job: JobInput, wrong: set[str] | frozenset[str]) -> list[Fault]:
    """Rules between fields; one that involves a field already found wrong is left out."""
    image = not wrong & {"image_url", "image_base64"}
    control = None if "control" in wrong else job.control
    rules: list[tuple[bool, str, str]] = [
        (
            job.image_url is not None and job.image_base64 is not None,
            "image_base64",
            "send image_url or image_base64, not both.",
        ),
        (
            image and job.mode == "i2v" and not job.has_image,
            "image_url",
            "mode i2v needs a start image: send image_url or image_base64.",
        ),
        (
            image and job.mode == "t2v" and job.has_image,
            "mode",
            "mode t2v takes no start image: leave the image out, or use i2v.",
        ),
        (
            image and job.given("image_strength") and not job.has_image,
            "image_strength",
            "image_strength needs a start image.",
        ),
        (
            "quality" not in wrong and job.steps is not None and not NAMES.takes_steps(job.quality),
            "steps",
            f"steps can be set with quality {CHOSEN} only; "
            f"{job.quality} always takes {NAMES.recipes[job.quality].steps.default}.",
        ),
        (
            "camera" not in wrong and job.camera == "none" and job.given("camera_strength"),
            "camera_strength",
            "camera_strength needs a camera other than none.",
        ),
        (
            image and control is not None and not job.has_image,
            "control",
            "control works with a start image: send image_url or image_base64.",
        ),
    ]
    if control is not None:
        rules += [
            (
                control.video_url is not None and control.video_base64 is not None,
                "control.video_base64",
                "send control.video_url or control.video_base64, not both.",
            ),
            (
                control.preprocessed and not control.has_video,
                "control.preprocessed",
                "control.preprocessed needs a control video.",
            ),
        ]
    return [Fault(field, message) for broken, field, message in rules if broken]


def _preview_warnings(job: JobInput) -> tuple[str, ...]:
    replaced = [name for name in ("resolution", "duration") if job.preview and job.given(name)]
    return tuple(f"A preview is always 448x256 and 1 s: {name} has no effect on it." for name in replaced)


def _refused(faults: tuple[Fault, ...], unsaid: int = 0) -> WorkerError:
    """The error for an input's faults, of which `MAX_FAULTS` are told and the rest are counted."""
    told = faults[:MAX_FAULTS]
    unsaid += len(faults) - len(told)
    more = (f"There are {unsaid} more faults.",) if unsaid else ()
    return WorkerError(
        ErrorCode.INVALID_INPUT,
        " ".join((*(fault.message for fault in told), *more)),
        field=told[0].field,
        faults=told,
    )


def _fault(detail: Any) -> Fault:
    """Word one of pydantic's errors for a caller: the field, and what is allowed."""
    path = [str(part) for part in detail["loc"]]
    field = ".".join(path)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = ControlInput.model_fields if path[0] == "control" else JobInput.model_fields
        near = difflib.get_close_matches(path[-1][:MAX_NAME], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}."
        return Fault(_printable(field), f"{_printable(field)} is not a field of this job; {hint}")
    if kind == "missing":
        return Fault(field, f"{field} is required.")
    if kind == "literal_error":
        return Fault(field, f"{field} must be {context['expected']}.")
    if kind in {"greater_than_equal", "less_than_equal"}:
        return Fault(field, f"{field} must be {_range(path)}.")
    if kind == "model_type":
        return Fault(field, f"{field} must be a JSON object.")
    if kind == "string_pattern_mismatch":
        return Fault(field, f"{field} must hold more than white space.")
    requirement = str(detail["msg"]).removeprefix("Input should be ").removeprefix("Input should ")
    if kind.startswith(("string_too", "string_unicode")):
        requirement = str(detail["msg"])[0].lower() + str(detail["msg"])[1:]
        return Fault(field, f"{field}: {requirement}.")
    return Fault(field, f"{field} must be {requirement}.")


def _range(path: list[str]) -> str:
    """The range of a number, as its JSON Schema has it: both ends, whichever was passed."""
    model = ControlInput if path[0] == "control" else JobInput
    field = model.model_json_schema()["properties"][path[-1]]
    number = next(option for option in field.get("anyOf", [field]) if "minimum" in option)
    most = number.get("maximum")
    return f"{number['minimum']} or more" if most is None else f"{number['minimum']} to {most}"


def _is_text(name: object) -> bool:
    """Whether a field's name is text that can be written: JSON allows halves of surrogate pairs."""
    try:
        return isinstance(name, str) and name.encode() is not None
    except UnicodeEncodeError:
        return False


def _printable(name: str) -> str:
    """A caller's own field name, safe to show and to log: short, and without control characters."""
    return "".join(character if character.isprintable() else "?" for character in name[:MAX_NAME])
