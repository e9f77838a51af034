"""What every object of a job is made of: strict models, and the types that several fields share."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def _whole(value: object) -> object:
    """30.0 is an integer in JSON Schema (2020-12, Validation 6.1.1), and what some clients write for 30."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Strength = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
#: A URL or base64 text; how long the decoded file may be is a matter of settings.
MediaText = Annotated[str, StringConstraints(min_length=1)]

#: What a text must be like, and how a caller is told.
SOMETHING, NAME = r"\S", r"^[a-z0-9][a-z0-9_-]{0,63}$"
PATTERNS = {
    SOMETHING: "hold more than white space",
    NAME: "be a name of small letters, digits, _ and -, of 64 characters at most",
}

#: What a URL of a file begins with; where it leads is looked at when it is fetched.
MEDIA_URL = r"^([Hh][Tt][Tt][Pp][Ss]?|s3)://"

#: A file comes in one of two fields, whose names end so.
URL, BASE64 = "_url", "_base64"


class Input(BaseModel):
    """An object of a job: strict, without unknown fields."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, serialize_by_alias=True
    )

    def given(self, field: str) -> bool:
        """Whether the caller wrote this field."""
        return field in self.model_fields_set

    def has(self, medium: str) -> bool:
        """Whether a file was sent, in `MEDIUM_url` or `MEDIUM_base64`."""
        return any(getattr(self, medium + ending) is not None for ending in (URL, BASE64))
