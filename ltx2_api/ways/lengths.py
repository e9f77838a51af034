"""Any whole second, besides the card's 10, 15 and 20."""

from typing import TYPE_CHECKING

from ..prices import CARD_SECONDS
from .way import Way

if TYPE_CHECKING:
    from ..fields import JobFields


def _asked_by(job: "JobFields") -> str | None:
    return "duration" if job.duration not in CARD_SECONDS else None


WAY = Way(
    name="lengths",
    description="Videos of any whole second from 1 to 20.",
    fields=(),
    asked_by=_asked_by,
    without={"duration": {"enum": list(CARD_SECONDS)}},
)
