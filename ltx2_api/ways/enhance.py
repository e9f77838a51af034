"""Help with the prompt: the text encoder's own language model writes the scene out."""

from typing import TYPE_CHECKING

from pydantic import Field

from ..inputs import Input
from .way import Way, only_with

if TYPE_CHECKING:
    from ..fields import JobFields


class EnhanceFields(Input):
    """The field of this way."""

    enhance_prompt: bool = Field(
        False,
        description="The text encoder's language model writes the prompt out first; the reply has both. "
        f"{only_with('enhance')}",
    )


def _asked_by(job: "JobFields") -> str | None:
    return "enhance_prompt" if job.enhance_prompt else None


WAY = Way(
    name="enhance",
    description="The worker's own language model writes the prompt out.",
    fields=("enhance_prompt",),
    asked_by=_asked_by,
)
