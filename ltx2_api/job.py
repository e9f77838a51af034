"""A job as a caller sends it: its fields, and the rules between them; JSON Schema and docs come from it."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from .bounds import check_bounds
from .errors import MAX_FAULTS, Fault
from .faults import is_text, printable, refused, worded
from .fields import CHOSEN, ControlInput, JobFields
from .names import NAMES

#: Settings of other workers that are no user setting here; present, they are answered with a warning.
IGNORED_FIELDS = ("negative_prompt", "cfg", "guidance_scale")


class JobInput(JobFields):
    """One job, as the caller wrote it, each field checked and the fields checked against each other."""

    @classmethod
    def parse(cls, raw: object) -> tuple[Self, tuple[str, ...]]:
        """Check a job's `input` and return it with the warnings for the reply.

        Raises:
            WorkerError: INVALID_INPUT with every fault found, fields and combinations alike.
        """
        check_bounds(raw)
        if not isinstance(raw, Mapping):
            raise refused((Fault("input", "input must be a JSON object with at least a prompt."),))
        if odd := [printable(str(name)) for name in raw if not is_text(name)]:
            raise refused(tuple(Fault(name, f"{name} is not a field of this job.") for name in odd))
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
            faults = [
                worded(detail, ControlInput if detail["loc"][0] == "control" else cls)
                for detail in details[:MAX_FAULTS]
            ]
            unsaid = len(details) - len(faults)
            raise refused((*faults, *_contradictions(probe, wrong)), unsaid) from None
        contradictions = tuple(_contradictions(job, frozenset()))
        if contradictions:
            raise refused(contradictions)
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
