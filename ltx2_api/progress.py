"""How far a job is, as its caller sees it: the percent, the stage, the step, the seconds left."""

from base64 import b64encode
from dataclasses import asdict, dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What a job goes through, in this order; the values are what callers see."""

    PREPARING = "preparing"
    WAITING = "waiting"
    LOADING = "loading"
    CONTROL = "control"
    PROMPT = "prompt"
    SAMPLING = "sampling"
    REFINING = "refining"
    DETAILING = "detailing"
    DECODING = "decoding"
    ENCODING = "encoding"
    DELIVERING = "delivering"


@dataclass(frozen=True)
class Progress:
    """What a caller sees of a running job.

    Attributes:
        percent: 0 to 99, never lower than before; 100 is the result itself.
        step, steps: sampling steps, or frames decoded or encoded, in stages that have them.
        seconds_left: estimate for the whole job.
        picture: JPEG of the emerging video's first frame, where the operator turned that on.
    """

    percent: int
    stage: Stage
    step: int | None
    steps: int | None
    seconds_left: int
    picture: bytes | None = None

    def as_json(self) -> dict[str, object]:
        """The small object that is posted to the platform; the picture as base64."""
        shown = {name: value for name, value in asdict(self).items() if value is not None}
        return shown | ({"picture": b64encode(self.picture).decode()} if self.picture else {})
