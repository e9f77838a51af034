"""Settings: what callers send, and how it is fetched."""

from pydantic import Field
from pydantic_settings import BaseSettings


class IncomingSettings(BaseSettings):
    """Limits of callers' pictures, videos and sounds."""

    max_image_bytes: int = Field(20_000_000, gt=0, description="Largest picture of a caller's, in bytes.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest picture of a caller's, in pixels.")
    max_video_bytes: int = Field(
        200_000_000, gt=0, description="Largest video or sound of a caller's, in bytes."
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
