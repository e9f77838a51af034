"""Every environment variable the worker reads, typed, with its default and its meaning.

The table in docs/operations.md is made from this file.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ltx2_api.names import NAMES, Camera
from ltx2_api.ways import NAMES_OF_WAYS

if TYPE_CHECKING:
    RecipeOrNone = str
else:
    RecipeOrNone = Literal[("", *NAMES.qualities)]

MEGABYTE = 1_000_000


def variable(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    known = Settings.model_fields.get(field)
    alias = known.validation_alias if known else None
    return str(alias) if alias else field if field.isupper() else f"LTX2_{field.upper()}"


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings of this worker and are none: mistyped, most likely."""
    known = {variable(field) for field in Settings.model_fields}
    return sorted(name for name in environment if name.startswith("LTX2_") and name not in known)


class Settings(BaseSettings):
    """The operator's choices. Names are `LTX2_` + the field in capitals, except RunPod's own `BUCKET_*`."""

    model_config = SettingsConfigDict(
        env_prefix="LTX2_", env_ignore_empty=True, frozen=True, populate_by_name=True
    )

    revision: str = Field("", description="Git revision that the image was built from; the image sets it.")

    # --- the engine -------------------------------------------------------------------------------
    comfyui_dir: Path = Field(Path("/opt/comfyui"), description="ComfyUI's folder (the one with main.py).")
    engine_python: Path = Field(
        Path("/opt/engine/bin/python"), description="Python of the environment that has torch."
    )
    engine_device: Literal["gpu", "cpu"] = Field("gpu", description="cpu is for tiny weights and tests.")
    engine_args: str = Field("", description="Further ComfyUI flags, as on a command line.")
    engine_nodes_dir: Path | None = Field(
        None, description="A further folder of custom nodes (the tiny weights bring one)."
    )
    engine_start_timeout: float = Field(300, gt=0, description="Seconds until the engine must answer.")
    engine_max_crashes: int = Field(
        3, ge=1, description="So many crashes in a row end the worker, so that the platform replaces it."
    )
    models_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("/opt/models"), Path("/runpod-volume/models"), Path("/runpod-volume/ComfyUI/models")),
        description="Folders with ComfyUI's model layout, the first that has a file wins; separated by ':'.",
    )
    work_dir: Path = Field(
        Path("/tmp/ltx2-worker"),  # noqa: S108 - made with mode 0700 by the worker, one owner
        description="Scratch: what goes into and comes out of the engine; emptied after each job.",
    )

    # --- jobs -------------------------------------------------------------------------------------
    offer: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=f"What jobs may ask for, separated by commas: models ({', '.join(NAMES.families)}), "
        "else every one that is installed; ways beyond the plain job"
        f" ({', '.join(NAMES_OF_WAYS)}), else none; all: every model that is installed, "
        "and every way.",
    )
    jobs_in_hand: int = Field(
        2,
        ge=1,
        le=2,
        description="2: the next job is taken shortly before the engine is free; 1: strictly one after the "
        "other.",
    )
    take_ahead: float = Field(
        10,
        ge=0,
        allow_inf_nan=False,
        description="The next job is taken when the engine is expected to be free within so many seconds; "
        "more where media are slow to fetch.",
    )
    job_timeout: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="One deadline for every job, in seconds; default: from the job's plan.",
    )
    execution_timeout: float = Field(
        600,
        ge=60,
        allow_inf_nan=False,
        description="The endpoint's execution timeout, in seconds; deadlines stay 30 s below it.",
    )
    default_camera: Camera = Field(
        "static",
        description="The camera of a job that names none and has no control, where the model has a LoRA "
        "for it.",
    )
    pro_guidance: Literal["full", "plain"] = Field(
        "full",
        description="full: pro is guided as in Lightricks' pipelines, in four passes a step; plain: as in "
        "ComfyUI's templates, in two.",
    )
    keep_models_loaded: bool = Field(
        True,
        description="Keep the weights of every recipe of a model in memory, so that a switch loads nothing; "
        "needs the host memory for all.",
    )
    keep_all_models_loaded: bool = Field(
        False,
        description="Keep the weights of the other models in memory too; else a job with another model than "
        "the one before loads its own. Needs the host memory for every model that is offered.",
    )
    shutdown_grace: float = Field(
        30, ge=0, description="Seconds after SIGTERM until jobs still in hand are handed back as retryable."
    )
    warmup: RecipeOrNone = Field(
        "", description="Load this recipe's weights with one preview before the first job is taken."
    )
    live_previews: bool = Field(
        False, description="Send a small JPEG of the emerging video with the progress; costs a little time."
    )
    log_prompts: bool = Field(False, description="Write prompts into the log.")

    # --- what comes in ----------------------------------------------------------------------------
    max_image_bytes: int = Field(20 * MEGABYTE, gt=0, description="Largest picture of a caller's, in bytes.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest picture of a caller's, in pixels.")
    max_video_bytes: int = Field(
        200 * MEGABYTE, gt=0, description="Largest video or sound of a caller's, in bytes."
    )
    max_video_seconds: float = Field(60, gt=0, description="Longest video of a caller's, in seconds.")
    max_sound_seconds: float = Field(600, gt=0, description="Longest sound of a caller's, in seconds.")
    max_video_side: int = Field(4096, gt=0, description="Longest side of such a video, in pixels.")
    fetch_timeout: float = Field(60, gt=0, description="Seconds that fetching one file may take in all.")
    fetch_connect_timeout: float = Field(10, gt=0, description="Seconds to connect to a server.")
    fetch_silence_timeout: float = Field(15, gt=0, description="Seconds a server may send nothing.")
    media_timeout: float = Field(
        120, gt=0, description="Seconds that decoding and fitting one image or video may take."
    )
    allow_private_urls: bool = Field(
        False,
        description="Fetch callers' URLs from private addresses too, this machine included: "
        "for tests and laptops, never for an endpoint.",
    )

    # --- what goes out ----------------------------------------------------------------------------
    output_dir: Path | None = Field(None, description="Where videos are kept when there is no bucket.")
    volume_dir: Path = Field(Path("/runpod-volume"), description="Where a network volume is mounted.")
    encode_buffer_bytes: int = Field(
        500 * MEGABYTE,
        gt=0,
        description="Memory for frames that wait for the encoder, in bytes; then the decoder waits.",
    )
    video_crf: float = Field(18, ge=0, le=51, description="H.264 quality: 0 lossless, 18 fine, 23 smaller.")
    bucket_endpoint_url: str | None = Field(
        None, validation_alias="BUCKET_ENDPOINT_URL", description="S3-compatible endpoint."
    )
    bucket_access_key_id: SecretStr | None = Field(
        None, validation_alias="BUCKET_ACCESS_KEY_ID", description="Its access key."
    )
    bucket_secret_access_key: SecretStr | None = Field(
        None, validation_alias="BUCKET_SECRET_ACCESS_KEY", description="Its secret key."
    )
    bucket_name: str | None = Field(
        None,
        validation_alias="BUCKET_NAME",
        description="The bucket; default: the one the endpoint URL names.",
    )
    bucket_region: str | None = Field(
        None,
        validation_alias="BUCKET_REGION",
        description="Its region; default: the one the endpoint URL names.",
    )
    bucket_key_prefix: str = Field(
        "", validation_alias="BUCKET_KEY_PREFIX", description="What every key starts with, such as 'videos/'."
    )
    bucket_public_url: str | None = Field(
        None,
        validation_alias="BUCKET_PUBLIC_URL",
        description="Base address under which anyone may read the bucket; default: presigned URLs.",
    )
    bucket_url_lifetime: int = Field(
        86_400,
        ge=60,
        le=604_800,
        validation_alias="BUCKET_URL_LIFETIME",
        description="Seconds that a presigned URL works; S3 allows seven days at most.",
    )
    bucket_addressing: Literal["auto", "path", "virtual"] = Field(
        "auto", validation_alias="BUCKET_ADDRESSING", description="Bucket name in the path or the host name."
    )
    bucket_checksums: Literal["when_supported", "when_required"] = Field(
        "when_supported",
        validation_alias="BUCKET_CHECKSUMS",
        description="when_required: for stores that refuse S3's checksum headers.",
    )
    allow_job_bucket: bool = Field(False, description="Let a job bring its own bucket as `s3Config`.")
    inline_base64: bool = Field(
        False,
        description="Put the video into the reply when there is neither bucket nor volume nor output_dir.",
    )
    inline_max_bytes: int = Field(
        7 * MEGABYTE, gt=0, description="Largest such video; RunPod takes 10 MB of JSON, base64 adds a third."
    )
    poster: bool = Field(True, description="Deliver a poster JPEG beside the video.")
    animated_preview: bool = Field(False, description="Deliver a small animated WebP beside the video.")
    provenance: bool = Field(False, description="Write model, seed and job id into the MP4.")
    c2pa_certificates: str | None = Field(
        None,
        description="Sign videos (C2PA content credentials) by these certificates: PEM text, or its file.",
    )
    c2pa_private_key: SecretStr | None = Field(
        None, description="The first certificate's private key: PEM text, or its file."
    )
    c2pa_timestamp_url: str | None = Field(
        None,
        pattern="^https?://",
        description="RFC 3161 server that notes when a video was signed; without it credentials end with "
        "their certificate.",
    )
    spool_dir: Path | None = Field(
        None,
        description="Where videos wait for a bucket that is down; default: the volume, else beside work_dir.",
    )
    spool_max_videos: int = Field(50, ge=1, description="Most videos kept there; the oldest go first.")
    spool_max_bytes: int = Field(5_000 * MEGABYTE, gt=0, description="Most bytes kept there.")

    @field_validator("engine_args")
    @classmethod
    def _splits(cls, value: str) -> str:
        shlex.split(value)  # ValueError: a quotation mark without its partner
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _absolute(cls, value: object) -> object:
        # The engine is started in another folder: what is relative would mean two places.
        if isinstance(value, tuple):
            return tuple(cls._absolute(part) for part in value)
        return value.expanduser().absolute() if isinstance(value, Path) else value

    @field_validator("offer", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        return tuple(str(name).strip() for name in names) if isinstance(names, list | tuple) else names

    @field_validator("offer")
    @classmethod
    def _can_be_offered(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("all", *NAMES.families, *NAMES_OF_WAYS)
        if unknown := set(value) - set(known):
            raise ValueError(f"{sorted(unknown)[0]!r} is none of {', '.join(known)}")
        return value

    @field_validator("models_dirs", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(part for part in value.split(":") if part) if isinstance(value, str) else value
