"""What a caller's files are for: where each comes in, how it is prepared, what of the graph takes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ltx2_api.inputs import BASE64, URL, Input
from ltx2_api.job import JobInput

from ..catalog.inputs import Value
from ..deadline import Deadline
from ..plan import Plan
from ..settings import Settings
from .fetch import Source
from .fit import Frame
from .prepare import Prepared, prepare_control, prepare_image, prepare_sound, still_as_control


@dataclass(frozen=True)
class Order:
    """One file that is to be prepared.

    Attributes:
        source: where it comes from.
        name: of the file to make, without a suffix; no other file of the job has it.
        job: the caller's wishes.
        plan: the job's numbers.
        into: the job's own folder.
        deadline: the job's.
        settings: how large it may be, and how long it may take.
    """

    source: Source
    name: str
    job: JobInput
    plan: Plan
    into: Path
    deadline: Deadline
    settings: Settings


@dataclass(frozen=True)
class Role:
    """What a file is for.

    Attributes:
        field: where it comes in, a dotted path without `_url` or `_base64`; of a list, each object has one.
        value: what of the graph takes it.
        file: the name of what is made of it; of a list, each has its number behind that.
        prepare: makes the file that the engine reads.
    """

    field: str
    value: Value
    file: str
    prepare: Callable[[Order], Prepared]


@dataclass(frozen=True)
class Sent:
    """A file that a job brings, and its role."""

    role: Role
    source: Source
    name: str


def _on_canvas(order: Order) -> Prepared:
    frame = _frame(order.plan)
    return prepare_image(order.source, frame, order.into, order.deadline, order.settings, name=order.name)


def _control(order: Order) -> Prepared:
    plan = order.plan
    return prepare_control(
        order.source,
        _first_frame(plan),
        order.into,
        order.deadline,
        order.settings,
        fps=plan.base_fps,
        frames=plan.base_frames,
    )


def _sound(order: Order) -> Prepared:
    return prepare_sound(
        order.source,
        order.into,
        order.deadline,
        order.settings,
        start=order.job.audio_start,
        seconds=order.plan.seconds,
    )


#: Every file that a job can bring.
ROLES: tuple[Role, ...] = (
    Role("image", Value.IMAGE, "start_image", _on_canvas),
    Role("keyframes.image", Value.KEYFRAME_IMAGE, "keyframe", _on_canvas),
    Role("end_image", Value.KEYFRAME_IMAGE, "end_image", _on_canvas),
    Role("audio", Value.SOUND, "sound", _sound),
    Role("control.video", Value.CONTROL_VIDEO, "control", _control),
)


def sent_with(job: JobInput) -> Iterator[Sent]:
    """Every file that a job brings, in the order of the roles."""
    for role in ROLES:
        *objects, medium = role.field.split(".")
        for path, part in _parts(job, objects, ""):
            if part.has(medium):
                url = getattr(part, medium + URL)
                field = path + medium + (BASE64 if url is None else URL)
                number = "".join(f"_{name}" for name in path.split(".") if name.isdecimal())
                yield Sent(role, Source(field, url, getattr(part, medium + BASE64)), role.file + number)


def derived(
    plan: Plan, files: Mapping[Value, Sequence[Prepared]], into: Path, deadline: Deadline, settings: Settings
) -> dict[Value, list[Prepared]]:
    """Make what a plan needs and no file brings: a control without a video follows the start image."""
    if plan.control is None or Value.CONTROL_VIDEO in files:
        return {}
    (image,) = files[Value.IMAGE]
    made = still_as_control(image.path, into, deadline, settings, fps=plan.base_fps)
    return {Value.CONTROL_VIDEO: [made]}


def _parts(part: Input, path: list[str], where: str) -> Iterator[tuple[str, Input]]:
    """The objects at a path, each with where it is: every one of a list, none where the job has none."""
    if not path:
        yield where, part
        return
    name, *rest = path
    value = getattr(part, name)
    if isinstance(value, Input):
        yield from _parts(value, rest, f"{where}{name}.")
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from _parts(each, rest, f"{where}{name}.{number}.")


def _frame(plan: Plan) -> Frame:
    return Frame(plan.delivered.width, plan.delivered.height, plan.canvas.width, plan.canvas.height)


def _first_frame(plan: Plan) -> Frame:
    """The size at which the first stage works, and looks at the control video: a quarter of the pixels."""
    halves = plan.canvas.width // plan.first_canvas.width
    return Frame(
        plan.delivered.width // halves,
        plan.delivered.height // halves,
        plan.first_canvas.width,
        plan.first_canvas.height,
    )
