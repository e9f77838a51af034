"""What a job costs, in credits; the list itself is prices.toml."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from .names import Quality

Resolution = Literal["720p", "1080p"]

#: The durations on the card, in seconds; any other is a way that an operator can offer.
CARD_SECONDS = (10, 15, 20)

_List = dict[str, dict[Resolution, Annotated[float, Field(ge=0, allow_inf_nan=False)]]]


def _rates() -> dict[tuple[Quality, Resolution], float]:
    text = Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
    listed = TypeAdapter(_List).validate_python(tomllib.loads(text))
    return {
        (quality, resolution): rate
        for quality, by_resolution in listed.items()
        for resolution, rate in by_resolution.items()
    }


#: Credits for a second of new video, by quality and resolution.
RATES = _rates()


def credits_for(quality: Quality, resolution: Resolution, seconds: float, *, preview: bool = False) -> int:
    """Return the price in credits of some seconds of new video; a preview is free.

    No other option changes the price.
    """
    rate = RATES[quality, resolution]
    # Seconds come as decimal fractions, which binary ones only approach.
    return 0 if preview or rate == 0 else max(1, math.floor(rate * seconds + 1e-6))


#: Credits by duration (seconds), then by quality and resolution: the card.
CREDITS = {seconds: {column: credits_for(*column, seconds) for column in RATES} for seconds in CARD_SECONDS}
