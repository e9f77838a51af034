"""What the API answers: the objects that a page sees. No RunPod id, URL or key is among them."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class State(StrEnum):
    """Where a generation is."""

    HELD = "held"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: States that a generation does not leave, but for a video that comes later all the same.
FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Fault(BaseModel):
    """One thing that is wrong with an input."""

    field: str
    message: str


class Progress(BaseModel):
    """How far the worker is."""

    model_config = ConfigDict(extra="ignore")

    percent: int = Field(ge=0, le=100)
    stage: str
    step: int | None = None
    steps: int | None = None
    seconds_left: int | None = None
    picture: str | None = Field(
        None,
        description="Names the picture of the emerging video that is at …/picture now: another name, another "
        "picture. null: there is none; not every endpoint sends them.",
    )


class Waiting(BaseModel):
    """Why nothing is generated yet."""

    seconds: int
    reason: Literal["cold_start", "busy", "no_workers"] | None = None


class Result(BaseModel):
    """The video's facts; the video itself is at `…/video`."""

    model_config = ConfigDict(extra="ignore")

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    bytes: int
    sha256: str
    seed: int
    audio: bool
    changed: tuple[float, float] | None = Field(
        None, description="Of a video that was sent, the seconds that are new; all else is its own."
    )
    prompt_used: str | None = Field(
        None, description="What the video was made of, where the prompt was written out."
    )
    warnings: tuple[str, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)


class Error(BaseModel):
    """Why there is no video; nothing was charged."""

    code: str
    message: str
    field: str | None = None
    retryable: bool = False


class Generation(BaseModel):
    """One video that somebody asked for."""

    object: Literal["generation"] = "generation"
    id: str
    model: str
    state: State
    input: dict[str, Any] = Field(description="As it was sent, without what was sent as base64.")
    tags: list[str]
    credits: int = Field(description="Held for it, and charged once the video is there.")
    charged: int
    cancelling: bool
    progress: Progress | None
    waiting: Waiting | None
    result: Result | None
    has_poster: bool
    error: Error | None
    retry_of: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    seq: int = Field(description="Grows with each change; newer than what was seen means newer.")


class Page(BaseModel):
    """Generations, newest change first; `next` is the cursor of the rest."""

    items: list[Generation]
    next: str | None


def _is_text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable text")
    return value


Tag = Annotated[str, Field(max_length=100), AfterValidator(_is_text)]


class NewGeneration(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    model: str = "ltx-2"
    input: dict[str, Any]
    tags: list[Tag] = Field(default_factory=list, max_length=10)


class QuoteRequest(BaseModel):
    """A job that may still be wrong."""

    model_config = ConfigDict(extra="forbid")

    model: str = "ltx-2"
    input: dict[str, Any]


class Quote(BaseModel):
    """What a job would cost; with faults where it is not complete yet."""

    credits: int | None
    available: int
    enough: bool
    warnings: tuple[str, ...]
    faults: list[Fault]


class Price(BaseModel):
    """One line of the price list."""

    quality: str
    resolution: str
    duration: int
    credits: int


class Limits(BaseModel):
    """What one account may have under way."""

    open_generations: int
    previews_per_minute: int


class Model(BaseModel):
    """What can be generated: a page builds its form from this."""

    id: str
    input_schema: dict[str, Any]
    prices: list[Price]
    presets: dict[str, Any]
    limits: Limits


class Account(BaseModel):
    """The caller's credits."""

    available: int
    held: int


class LedgerEntry(BaseModel):
    """One line of the ledger."""

    id: int
    kind: str
    amount: int
    generation: str | None
    at: str


class LedgerPage(BaseModel):
    """Lines of the ledger, the newest first; `next` is the cursor of the rest."""

    items: list[LedgerEntry]
    next: str | None


class NewUpload(BaseModel):
    """A file that is about to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Upload(BaseModel):
    """Where to PUT a file, and what to name it by in `image_url` or `control.video_url`."""

    put_url: str
    headers: dict[str, str]
    url: str


class Uploaded(BaseModel):
    """A file in the bucket, by what a job names it."""

    url: str


class Ticket(BaseModel):
    """For an address that cannot carry a header: `…/events?ticket=`, `…/video?ticket=`."""

    ticket: str
    expires_in: int


class Problem(BaseModel):
    """An error, as RFC 9457 has it, with our code."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    faults: list[Fault] = Field(default_factory=list)
    credits: int | None = None
    available: int | None = None
    missing: int | None = None
