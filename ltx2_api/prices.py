"""What a job costs, in credits; the list itself is prices.toml."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from .names import Quality

Resolution = Literal["720p", "1080p"]
Duration = Literal[10, 15, 20]

_List = dict[str, dict[Resolution, dict[str, Annotated[int, Field(ge=0, strict=True)]]]]


def _credits() -> dict[Duration, dict[tuple[Quality, Resolution], int]]:
    """The price list, by duration and then by quality and resolution."""
    text = Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
    listed = TypeAdapter(_List).validate_python(tomllib.loads(text))
    durations: tuple[Duration, ...] = (10, 15, 20)
    return {
        duration: {
            (quality, resolution): by_duration[str(duration)]
            for quality, by_resolution in listed.items()
            for resolution, by_duration in by_resolution.items()
        }
        for duration in durations
    }


#: Credits by duration (seconds), then by quality and resolution.
CREDITS = _credits()


def credits_for(
    quality: Quality, resolution: Resolution, duration: Duration, *, preview: bool = False
) -> int:
    """Return the price of one job in credits; a preview is free, and no other option changes the price."""
    return 0 if preview else CREDITS[duration][quality, resolution]
