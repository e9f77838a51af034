"""Every environment variable the worker reads, typed, with its default and its meaning.

The table in docs/operations.md is made from this package.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from .engine import EngineSettings
from .incoming import IncomingSettings
from .jobs import JobSettings
from .outgoing import OutgoingSettings

__all__ = ["Settings", "unknown_variables", "variable"]


def variable(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    known = Settings.model_fields.get(field)
    alias = known.validation_alias if known else None
    return str(alias) if alias else field if field.isupper() else f"LTX2_{field.upper()}"


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings of this worker and are none: mistyped, most likely."""
    known = {variable(field) for field in Settings.model_fields}
    return sorted(name for name in environment if name.startswith("LTX2_") and name not in known)


class Settings(OutgoingSettings, IncomingSettings, JobSettings, EngineSettings):
    """The operator's choices. Names are `LTX2_` + the field in capitals, except RunPod's own `BUCKET_*`."""

    model_config = SettingsConfigDict(
        env_prefix="LTX2_", env_ignore_empty=True, frozen=True, populate_by_name=True
    )

    revision: str = Field("", description="Git revision that the image was built from; the image sets it.")

    @field_validator("*", mode="after")
    @classmethod
    def _absolute(cls, value: object) -> object:
        # The engine is started in another folder: what is relative would mean two places.
        if isinstance(value, tuple):
            return tuple(cls._absolute(part) for part in value)
        return value.expanduser().absolute() if isinstance(value, Path) else value
