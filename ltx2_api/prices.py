"""What a job costs, in credits."""

from typing import Literal

Quality = Literal["fast", "pro"]
Resolution = Literal["720p", "1080p"]
Duration = Literal[10, 15, 20]

#: Mivo's price list: credits by duration (seconds), then by quality and resolution.
CREDITS: dict[Duration, dict[tuple[Quality, Resolution], int]] = {
    10: {("fast", "720p"): 30, ("fast", "1080p"): 45, ("pro", "720p"): 45, ("pro", "1080p"): 60},
    15: {("fast", "720p"): 45, ("fast", "1080p"): 67, ("pro", "720p"): 67, ("pro", "1080p"): 90},
    20: {("fast", "720p"): 60, ("fast", "1080p"): 90, ("pro", "720p"): 90, ("pro", "1080p"): 120},
}


def credits_for(
    quality: Quality, resolution: Resolution, duration: Duration, *, preview: bool = False
) -> int:
    """Return the price of one job in credits; a preview is free, and no other option changes the price."""
    return 0 if preview else CREDITS[duration][quality, resolution]
