"""What a job costs, in credits; the list itself is prices.toml."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from .names import NAMES, Quality

Resolution = Literal["720p", "1080p"]

#: The durations on the card, in seconds; any other is a way that an operator can offer.
CARD_SECONDS = (10, 15, 20)

_Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def read_rates(text: str) -> dict[tuple[Quality, Resolution], float]:
    """Read a price list: one that is not whole, or not right, starts no worker, which could only fail jobs.

    Arguments:
        text: TOML, credits for a second by resolution in a table for each quality.

    Raises:
        ValueError: with what is wrong.
    """
    columns = [(quality, resolution) for quality in NAMES.qualities for resolution in get_args(Resolution)]
    try:
        listed = TypeAdapter(dict[str, dict[Resolution, _Rate]]).validate_python(tomllib.loads(text))
        return {(quality, resolution): listed[quality][resolution] for quality, resolution in columns}
    except KeyError as error:
        raise ValueError(f"prices.toml has no price for {error.args[0]}") from None
    except ValidationError as error:
        (fault, *_) = error.errors(include_url=False)
        raise ValueError(f"prices.toml: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


#: Credits for a second of new video, by quality and resolution.
RATES = read_rates(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))


def credits_for(quality: Quality, resolution: Resolution, seconds: float, *, preview: bool = False) -> int:
    """Return the price in credits of some seconds of new video; a preview is free.

    No other option changes the price.
    """
    rate = RATES[quality, resolution]
    # Seconds come as decimal fractions, which binary ones only approach.
    return 0 if preview or rate == 0 else max(1, math.floor(rate * seconds + 1e-6))


#: Credits by duration (seconds), then by quality and resolution: the card.
CREDITS = {seconds: {column: credits_for(*column, seconds) for column in RATES} for seconds in CARD_SECONDS}
