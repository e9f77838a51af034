"""Settings: the file that is made, and where it goes."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class OutgoingSettings(BaseSettings):
    """Encoding, buckets, folders, and what is said of a video inside it."""

    output_dir: Path | None = Field(None, description="Where videos are kept when there is no bucket.")
    volume_dir: Path = Field(Path("/runpod-volume"), description="Where a network volume is mounted.")
    encode_buffer_bytes: int = Field(
        500_000_000,
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
        7_000_000, gt=0, description="Largest such video; RunPod takes 10 MB of JSON, base64 adds a third."
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
    spool_max_bytes: int = Field(5_000_000_000, gt=0, description="Most bytes kept there.")
