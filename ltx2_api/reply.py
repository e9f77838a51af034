"""What leaves the worker: one typed result, one typed failure, one typed answer to a dry run."""

from pydantic import BaseModel, ConfigDict, Field

from .errors import MAX_FAULTS, ErrorCode, WorkerError
from .fields import Mode
from .names import NAMES, Model, Quality

#: Characters of one sentence, and of all sentences of a failure: with `MAX_FAULTS` faults a failure stays far
#: below 64 KB, however its characters are encoded. RunPod takes replies of up to 10 MB.
MAX_SENTENCE = 400
MAX_MESSAGE = 4000

#: The model of a record or a reply that names none: it is from before there was another.
FIRST_MODEL: Model = next(iter(NAMES.families))


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeptFrames(_Output):
    """The frames of a video that was sent that stay."""

    copied: int = Field(
        description="Copied as they were encoded: they show to the bit what they showed in that video."
    )
    encoded: int = Field(description="Encoded once more, as the new frames are.")


class Seam(_Output):
    """A join of new frames and those of a video that was sent."""

    at: float = Field(description="Second at which the first frame behind the join is shown.")
    difference: float = Field(
        description="Between the two frames that meet: how far their luma is apart, as a mean over the "
        "pixels, in steps of 8 bits (black is 16, white 235)."
    )
    inside: float | None = Field(
        description="The mean of the same between neighbouring frames within a second on both sides; null "
        "where there are none. A join that continues the motion has a difference about as large."
    )


class VideoRecord(_Output):
    """What stays true of a finished job: kept beside the video, and answered when the job is sent again."""

    job_id: str = Field(description="The job's id.")
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    fps: float = Field(description="Frames per second, 24 or 48.")
    frames: int = Field(description="Frames in the file.")
    duration: float = Field(description="Seconds.")
    audio: bool = Field(description="Whether the file has a sound track.")
    mode: Mode = Field(description="t2v or i2v.")
    model: Model = Field(FIRST_MODEL, description="Generation of the model.")
    quality: Quality = Field(description=f"{' or '.join(NAMES.qualities)}.")
    preview: bool = Field(description="Whether this is a preview.")
    seed: int = Field(description="The seed used; the same job with it gives the same frames.")
    credits: int = Field(description="Price of the job.")
    prompt: str | None = Field(None, description="The caller's prompt, where another one was used.")
    prompt_used: str | None = Field(None, description="With enhance_prompt: what the video was made of.")
    changed: tuple[float, float] | None = Field(
        None, description="Of a video that was sent, the seconds that are new; all else is its own."
    )
    kept: KeptFrames | None = Field(None, description="Of a video that was sent, the frames that stay.")
    seams: tuple[Seam, ...] = Field(
        (), description="Where new frames meet those that stay: how far the picture jumps there."
    )
    loudness: float | None = Field(
        None, description="Loudness of the whole sound track in LUFS (EBU R 128), -70 where it is silent."
    )
    true_peak: float | None = Field(None, description="True peak of the sound track in dBTP.")
    warnings: tuple[str, ...] = Field((), description="What the caller should know about this job.")
    timings: dict[str, float] = Field(description="Seconds by stage, waiting included.")
    versions: dict[str, str] = Field(
        description="Worker, its git revision where the image states it, engine, checkpoint and text encoder."
    )


class VideoResult(VideoRecord):
    """A finished job, and where its files are now."""

    url: str | None = Field(None, description="Where the MP4 can be fetched: presigned or public URL.")
    key: str | None = Field(
        None, description="The MP4's key in the bucket, by which links can be made when these have expired."
    )
    path: str | None = Field(None, description="Where the MP4 lies, when there is no bucket.")
    video_base64: str | None = Field(None, description="The MP4 itself, where the operator turned that on.")
    url_expires_at: str | None = Field(None, description="When the presigned URLs stop working (UTC).")
    poster_url: str | None = Field(None, description="A JPEG of a frame from the middle.")
    poster_path: str | None = Field(None, description="Where the poster lies, when there is no bucket.")
    animation_url: str | None = Field(None, description="A small animated WebP, where that is turned on.")
    animation_path: str | None = Field(None, description="Where the WebP lies, when there is no bucket.")
    bytes: int = Field(description="Size of the MP4.")
    sha256: str = Field(description="Checksum of the MP4.")


class PlannedFile(_Output):
    """A model file that a job needs."""

    name: str
    bytes: int
    installed: bool


class DryRunResult(_Output):
    """The answer to a job with dry_run: what would be done, and what it would cost."""

    job_id: str
    dry_run: bool = True
    offers: tuple[str, ...] = Field(
        (), description="What this endpoint offers: models, and ways beyond the plain job."
    )
    loras: dict[str, str] = Field(
        default_factory=dict, description="The operator's own LoRAs for this model, and what each does."
    )
    mode: Mode
    model: Model = FIRST_MODEL
    quality: Quality
    preview: bool
    width: int
    height: int
    canvas: str = Field(description="Size that is generated; the video is its centre crop.")
    fps: int
    frames: int = Field(description="Frames of the video; of one that was sent and keeps its own, new ones.")
    generated_frames: int
    duration: int = Field(description="Seconds; of a video that was sent and keeps its own, new ones.")
    steps: int
    audio: bool
    seed: int
    credits: int
    files: tuple[PlannedFile, ...] = Field(description="Model files that the job needs.")
    expected_seconds: int = Field(description="On a warm worker with a free engine.")
    deadline_seconds: int = Field(
        description="What the job itself may take; the endpoint's execution timeout has to be 30 s longer."
    )
    warnings: tuple[str, ...] = ()


class FaultResult(_Output):
    """One thing wrong with an input."""

    field: str
    message: str


class FailureResult(_Output):
    """A failed job. RunPod takes `error` out of it as the job's error and keeps the rest as its output."""

    error: str = Field(description="One sentence for a person.")
    code: ErrorCode = Field(description="One of a closed list; see docs/errors.md.")
    field: str | None = Field(None, description="The input field at fault, where there is one.")
    faults: tuple[FaultResult, ...] = Field((), description="All faults of the input, when it has any.")
    retryable: bool = Field(description="Whether the same job may succeed if sent again.")
    job_id: str

    @classmethod
    def of(cls, error: WorkerError, job_id: str) -> "FailureResult":
        """Put an error into the form that leaves the worker."""
        return cls(
            error=error.message[:MAX_MESSAGE],
            code=error.code,
            field=error.field and error.field[:MAX_SENTENCE],
            faults=tuple(
                FaultResult(field=fault.field[:MAX_SENTENCE], message=fault.message[:MAX_SENTENCE])
                for fault in error.faults[:MAX_FAULTS]
            ),
            retryable=error.retryable,
            job_id=job_id,
        )
