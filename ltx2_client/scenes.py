"""The scenes of a batch, as their author writes them, and the takes that are made of them. No I/O."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ltx2_api.errors import Fault

from .errors import InvalidJob
from .submitting import Checked, check

#: A stand-in for a start image that is not there yet, for checking a scene before anything is submitted.
_SOME_IMAGE = "-"
_OWN = ("name", "count", "from_last_frame_of")


class Scene(BaseModel):
    """One scene: a job with a name.

    In a file its three fields stand beside the job's own: `{"name": "dawn", "prompt": "…", "count": 2}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Names the file; unique.")
    count: int = Field(1, ge=1, le=100, description="How many takes, each with a seed of its own.")
    from_last_frame_of: str | None = Field(
        None, description="The scene (or take, as `dawn-2`) whose last frame this one starts from."
    )
    job: dict[str, Any] = Field(description="The fields of the job.")

    @model_validator(mode="before")
    @classmethod
    def _beside(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "job" in data:
            return data
        own = {name: data[name] for name in _OWN if name in data}
        return own | {"job": {name: value for name, value in data.items() if name not in _OWN}}


@dataclass(frozen=True)
class Take:
    """One video of a batch.

    Attributes:
        name: the scene's, with `-1`, `-2` … where it has several takes.
        fields: the job's, without a start frame that is not there yet; a seed only where the scene has one.
        after: the take whose last frame this one starts from.
        digest: tells whether the scene was changed since it was made.
        credits: its price.
    """

    name: str
    fields: Mapping[str, Any]
    after: str | None
    digest: str
    credits: int


def read_scenes(text: str) -> list[Scene]:
    """The scenes of a file: a list of them, or `{"defaults": {…}, "scenes": […]}`; raises `InvalidJob`."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidJob(f"The scenes are not JSON: {error}.") from error
    defaults = data.get("defaults", {}) if isinstance(data, dict) else {}
    listed = data.get("scenes") if isinstance(data, dict) else data
    if not isinstance(listed, list) or not listed or not isinstance(defaults, dict):
        raise InvalidJob('The scenes must be a JSON list, or {"defaults": {…}, "scenes": […]}.')
    faults, scenes = [], []
    for number, item in enumerate(listed, 1):
        try:
            scenes.append(Scene.model_validate(defaults | item if isinstance(item, dict) else item))
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                field = ".".join(str(part) for part in detail["loc"])
                faults.append(Fault(field, f"scene {number}: {field}: {detail['msg']}."))
    if faults:
        raise _refused(faults)
    return scenes


def takes_of(scenes: Sequence[Scene]) -> list[Take]:
    """Every take of the scenes, in an order in which each comes after the one that it starts from.

    Raises:
        InvalidJob: with every fault of every scene.
    """
    faults = [Fault("name", f"Two scenes are called {name}.") for name in _repeated(scenes)]
    takes: dict[str, Take] = {}
    for scene in scenes:
        after = _named(scene, scenes, faults)
        for number in range(scene.count):
            name = f"{scene.name}-{number + 1}" if scene.count > 1 else scene.name
            if (take := _take(scene, name, number, after, faults)) is not None:
                if name in takes:
                    faults.append(Fault("name", f"Two takes are called {name}."))
                takes[name] = take
    if faults:
        raise _refused(faults)
    return list(_in_order(takes))


def _take(scene: Scene, name: str, number: int, after: str | None, faults: list[Fault]) -> Take | None:
    fields = dict(scene.job)
    if isinstance(seed := fields.get("seed"), int):
        fields["seed"] = seed + number
    if after is not None and ("image_url" in fields or "image_base64" in fields):
        faults.append(
            Fault("from_last_frame_of", f"{scene.name}: leave the image out, or from_last_frame_of.")
        )
        return None
    try:
        checked: Checked = check(fields | ({"image_base64": _SOME_IMAGE} if after else {}))
    except InvalidJob as error:
        told = error.faults or (Fault("", error.message),)
        faults.extend(Fault(fault.field, f"{scene.name}: {fault.message}") for fault in told if number == 0)
        return None
    if checked.job.dry_run:
        faults.append(Fault("dry_run", f"{scene.name}: a batch makes videos; leave dry_run out."))
    identity = json.dumps([fields, after, number], sort_keys=True)
    return Take(name, fields, after, sha256(identity.encode()).hexdigest(), checked.price.credits)


def _named(scene: Scene, scenes: Sequence[Scene], faults: list[Fault]) -> str | None:
    """The take that a scene starts from."""
    wanted = scene.from_last_frame_of
    if wanted is None:
        return None
    for other in scenes:
        if wanted == other.name and other.count == 1:
            return wanted
        if wanted in {f"{other.name}-{number + 1}" for number in range(other.count)} and other.count > 1:
            return wanted
        if wanted == other.name:
            faults.append(
                Fault(
                    "from_last_frame_of", f"{scene.name}: {wanted} has several takes; name one: {wanted}-1."
                )
            )
            return None
    faults.append(Fault("from_last_frame_of", f"{scene.name}: there is no scene {wanted}."))
    return None


def _in_order(takes: Mapping[str, Take]) -> Iterator[Take]:
    done: set[str] = set()
    left = list(takes.values())
    while left:
        ready = [take for take in left if take.after is None or take.after in done]
        if not ready:
            names = ", ".join(take.name for take in left)
            raise _refused([Fault("from_last_frame_of", f"These start from each other: {names}.")])
        yield from ready
        done.update(take.name for take in ready)
        left = [take for take in left if take.name not in done]


def _repeated(scenes: Sequence[Scene]) -> list[str]:
    names = [scene.name for scene in scenes]
    return sorted({name for name in names if names.count(name) > 1})


def _refused(faults: Sequence[Fault]) -> InvalidJob:
    return InvalidJob(" ".join(fault.message for fault in faults), faults=faults)
