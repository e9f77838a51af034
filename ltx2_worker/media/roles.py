"""What a caller's files are for: where each comes in, how it is prepared, what of the graph takes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ltx2_api.inputs import BASE64, URL, Input
from ltx2_api.job import JobInput

from ..catalog.inputs import Value
from ..deadline import Deadline
from ..plan import Plan
from ..plan.ways.spliced import spliced
from ..settings import Settings
from .fetch import Source
from .fit import Frame
from .prepare import Prepared, prepare_control, prepare_image, prepare_sound, still_as_control
from .sources import prepare_source, prepare_spliced

#: What is said of a source without a sound.
_SILENT = "The video that was sent has no sound, and neither has what was made of it."
_PARTLY_SILENT = "The video that was sent has no sound: something is heard only where sound was made anew."


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
        file: the name of what is made of it; of a list, each has its number behind that.
        prepare: makes the files that the engine reads, by what of the graph takes them.
    """

    field: str
    file: str
    prepare: Callable[[Order], Mapping[Value, Prepared]]


@dataclass(frozen=True)
class Sent:
    """A file that a job brings, and its role."""

    role: Role
    source: Source
    name: str


def _picture(order: Order) -> Prepared:
    frame = _frame(order.plan)
    return prepare_image(order.source, frame, order.into, order.deadline, order.settings, name=order.name)


def _start_image(order: Order) -> dict[Value, Prepared]:
    return {Value.IMAGE: _picture(order)}


def _keyframe(order: Order) -> dict[Value, Prepared]:
    return {Value.KEYFRAME_IMAGE: _picture(order)}


def _control(order: Order) -> dict[Value, Prepared]:
    plan = order.plan
    prepared = prepare_control(
        order.source,
        _first_frame(plan),
        order.into,
        order.deadline,
        order.settings,
        fps=plan.base_fps,
        frames=plan.base_frames,
    )
    return {Value.CONTROL_VIDEO: prepared}


def _sound(order: Order) -> dict[Value, Prepared]:
    prepared = prepare_sound(
        order.source,
        order.into,
        order.deadline,
        order.settings,
        start=order.job.audio_start,
        seconds=order.plan.seconds,
    )
    return {Value.SOUND: prepared}


def _restyled(order: Order) -> dict[Value, Prepared]:
    plan = order.plan
    video, sound = prepare_source(
        order.source,
        _first_frame(plan),
        order.into,
        order.deadline,
        order.settings,
        fps=plan.base_fps,
        frames=plan.base_frames,
        with_sound=plan.audio and not order.job.has_sound,
    )
    return {Value.SOURCE_VIDEO: video} | ({Value.SOUND: sound} if sound else {})


def _spliced(order: Order) -> dict[Value, Prepared]:
    plan = order.plan
    assert plan.cut is not None
    source = prepare_spliced(
        order.source,
        _frame(plan),
        order.into,
        order.deadline,
        order.settings,
        cut=plan.cut,
        fps=plan.base_fps,
        with_sound=plan.audio,
    )
    shown = Prepared(source.pieces.shown, source.warnings, frames=source.frames, copied=source.copied)
    sound = {Value.SOUND: Prepared(source.pieces.sound)} if source.pieces.sound.exists() else {}
    return {Value.SOURCE_VIDEO: shown} | sound


#: Every file that a job can bring.
ROLES: tuple[Role, ...] = (
    Role("image", "start_image", _start_image),
    Role("keyframes.image", "keyframe", _keyframe),
    Role("end_image", "end_image", _keyframe),
    Role("extend.video", "source", _spliced),
    Role("retake.video", "source", _spliced),
    Role("restyle.video", "source", _restyled),
    Role("audio", "sound", _sound),
    Role("control.video", "control", _control),
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


def settled(plan: Plan, files: Mapping[Value, Sequence[Prepared]]) -> tuple[Plan, tuple[str, ...]]:
    """Return a plan as its media leave it, and what the caller should know: a source may have no sound."""
    if plan.cut is not None:
        return _settled_splice(plan, files)
    if plan.held_sound is None or Value.SOUND in files:
        return plan, ()
    return replace(plan, held_sound=None, audio=False), (_SILENT,)


def _settled_splice(plan: Plan, files: Mapping[Value, Sequence[Prepared]]) -> tuple[Plan, tuple[str, ...]]:
    (source,) = files[Value.SOURCE_VIDEO]
    assert plan.cut is not None
    assert source.frames is not None
    has_sound = Value.SOUND in files
    splice = replace(plan.cut(source.frames), copied=source.copied)
    settled = spliced(plan, splice, has_sound=has_sound)
    warnings = []
    if splice.kept and not splice.copied:
        warnings.append(
            "The frames that stay are encoded once more, as the new ones are: they lie in the video that was "
            "sent in another form than this worker's own."
        )
    if plan.audio and not has_sound:
        warnings.append(_PARTLY_SILENT if settled.audio else _SILENT)
    return settled, tuple(warnings)


def derived(
    plan: Plan, files: Mapping[Value, Sequence[Prepared]], into: Path, deadline: Deadline, settings: Settings
) -> dict[Value, list[Prepared]]:
    """Make what a plan needs and no file brings: a control alone follows the source, or the start image."""
    if plan.control is None or Value.CONTROL_VIDEO in files:
        return {}
    if source := files.get(Value.SOURCE_VIDEO):
        return {Value.CONTROL_VIDEO: [Prepared(source[0].path)]}
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
