"""A job as a caller sends it: its fields, and the rules between them; JSON Schema and docs come from it."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import ValidationError

from .bounds import check_bounds
from .errors import MAX_FAULTS, Fault
from .faults import is_text, printable, refused, told_once, worded
from .fields import CHOSEN, JobFields
from .names import NAMES
from .prices import credits_for
from .rules import Rule, faults, media_rules
from .ways import WAYS

#: Settings of other workers that are no user setting here; present, they are answered with a warning.
IGNORED_FIELDS = ("negative_prompt", "cfg", "guidance_scale")

#: The fields that a price depends on.
PRICED = frozenset({"quality", "resolution", "duration", "preview"}).union(
    *(way.fields for way in WAYS if way.changes_price)
)


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
            details = told_once(error.errors(include_url=False, include_input=False))
            wrong = {str(detail["loc"][0]) for detail in details}
            # The combinations of what is left are checked too, so that a caller hears of everything at once.
            rest = {key: value for key, value in fields.items() if key not in wrong}
            probe = cls.model_validate({"prompt": "-"} | rest)
            found = [worded(detail, cls) for detail in details[:MAX_FAULTS]]
            unsaid = len(details) - len(found)
            raise refused((*found, *faults(_rules(probe), wrong)), unsaid) from None
        if contradictions := tuple(faults(_rules(job), ())):
            raise refused(contradictions)
        return job, warnings + _preview_warnings(job)

    @property
    def new_seconds(self) -> float:
        """Seconds of video that the job makes anew: what is paid for."""
        of_ways = (way.seconds(self) for way in WAYS)
        return next((seconds for seconds in of_ways if seconds is not None), self.duration)

    @property
    def credits(self) -> int:
        """What the job costs."""
        return credits_for(self.quality, self.resolution, self.new_seconds, preview=self.preview)


def _without_nulls(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Leave out what is null, here and in nested objects: to clients, null means "the default"."""
    return {str(key): _value(value) for key, value in fields.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_nulls(value)
    # A strict model takes a tuple for a tuple; JSON has lists alone.
    return tuple(map(_value, value)) if isinstance(value, list) else value


def _rules(job: JobInput) -> Iterator[Rule]:
    """The rules between fields: of the plain job, of its files, and of each way."""
    yield from media_rules(job)
    yield from _plain_rules(job)
    for way in WAYS:
        yield from way.rules(job)


def _plain_rules(job: JobInput) -> Iterator[Rule]:
    image = frozenset({"image_url", "image_base64"})
    # What does not go with extend and retake at all is said there.
    yield Rule(
        job.mode == "i2v" and not job.has_image and not job.keeps_frames,
        "image_url",
        "mode i2v needs a start image: send image_url or image_base64.",
        image,
    )
    yield Rule(
        job.mode == "t2v" and job.has_image,
        "mode",
        "mode t2v takes no start image: leave the image out, or use i2v.",
        image,
    )
    yield Rule(
        job.given("image_strength") and not job.has_image and not job.keeps_frames,
        "image_strength",
        "image_strength needs a start image.",
        image,
    )
    yield Rule(
        job.steps is not None and not NAMES.takes_steps(job.quality),
        "steps",
        f"steps can be set with quality {CHOSEN} only; "
        f"{job.quality} always takes {NAMES.recipes[job.quality].steps.default}.",
        frozenset({"quality"}),
    )
    yield Rule(
        job.camera == "none" and job.given("camera_strength"),
        "camera_strength",
        "camera_strength needs a camera other than none.",
        frozenset({"camera"}),
    )
    control = job.control
    yield Rule(
        control is not None and not job.has_image and not job.has_source,
        "control",
        "control works with a start image: send image_url or image_base64.",
        image | {"control", "restyle", "extend", "retake"},
    )
    yield Rule(
        control is not None and control.preprocessed and not control.has_video,
        "control.preprocessed",
        "control.preprocessed needs a control video.",
        frozenset({"control"}),
    )


def without_effect(job: JobFields) -> tuple[str, ...]:
    """The fields of a job that mean nothing to its preview."""
    # The seconds of keyframes are shares of the duration.
    return ("resolution",) if job.keyframes else ("resolution", "duration")


def _preview_warnings(job: JobInput) -> tuple[str, ...]:
    if not job.preview:
        return ()
    replaced = [name for name in without_effect(job) if job.given(name)]
    size = "448x256" if job.aspect == "16:9" else "small"
    length = "" if job.keeps_frames else " and 1 s"
    always = (f"A preview is always {size}{length}: {name} has no effect on it." for name in replaced)
    return (*always, *(said for way in WAYS if (said := way.preview(job)) is not None))
