"""Tables for the documents, in Markdown: fields, settings, errors, prices, times, files."""

import json
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from ltx2_api.errors import EXPLANATIONS, RETRYABLE
from ltx2_api.faults import object_in
from ltx2_api.job import IGNORED_FIELDS, JobInput
from ltx2_api.prices import CREDITS
from ltx2_api.ways import WAYS
from ltx2_studio.settings import Settings as StudioSettings
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.family import Recipe
from ltx2_worker.catalog.files import manifest
from ltx2_worker.catalog.inputs import Feature
from ltx2_worker.plan import make_plan
from ltx2_worker.plan.estimate import deadline_seconds, stage_seconds
from ltx2_worker.settings import Settings

#: Dollars, to show how to reckon; the same as bench/fleet/tables.py takes.
GPU_HOUR = 4.0
#: What a table of fields says of each.
FIELDS = ("field", "values", "default", "meaning")


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _job_table() -> str:
    offered = {name for way in WAYS for name in way.fields}
    return _table(
        FIELDS,
        *_fields(JobInput, [name for name in _known(JobInput) if name not in offered]),
        *((name, "anything", "", "Not a setting here: ignored, with a warning.") for name in IGNORED_FIELDS),
    )


def _way_table(fields: Collection[str]) -> str:
    """The fields that a job has where its endpoint offers a way."""
    return _table(FIELDS, *_fields(JobInput, fields))


def _known(model: type[BaseModel]) -> Iterator[str]:
    """The names of its fields, as a caller knows them."""
    return (field.alias or own for own, field in model.model_fields.items())


def _fields(model: type[BaseModel], wanted: Collection[str], prefix: str = "") -> Iterator[tuple[str, ...]]:
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        if name not in wanted:
            continue
        if inner := object_in(_annotation(model, name)):
            many = any(option.get("type") == "array" for option in field.get("anyOf", [field]))
            kind, path = ("list of objects", f"{name}[].") if many else ("object", f"{name}.")
            yield (f"`{prefix}{name}`", kind, "", field["description"])
            yield from _fields(inner, list(_known(inner)), prefix + path)
            continue
        required = name in schema.get("required", ())
        default = "required" if required else _default(field.get("default"))
        yield (f"`{prefix}{name}`", _values(field), default, field["description"])


def _annotation(model: type[BaseModel], name: str) -> Any:
    """The type of a field, by the name that a caller knows."""
    fields = ((field.alias or own, field) for own, field in model.model_fields.items())
    return next(field.annotation for known, field in fields if known == name)


def _default(value: object) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _values(field: dict[str, Any]) -> str:
    """A field's allowed values, from its JSON Schema."""
    options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
    (option,) = options
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    low, high = option.get("minimum"), option.get("maximum")
    if high is not None:
        return f"{option['type']}, {low:,} to {high:,}"
    if "maxLength" in option:
        return f"{option['minLength']:,} to {option['maxLength']:,} characters"
    return f"{option['type']}, {low} or more" if low is not None else str(option["type"])


def _settings_table() -> str:
    return _table(("variable", "default", "meaning"), *_variables(Settings, "LTX2_"))


def _studio_settings_table() -> str:
    return _table(("variable", "default", "meaning"), *_variables(StudioSettings, "STUDIO_"))


def _variables(settings: type[BaseSettings], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in settings.model_fields.items():
        variable = str(field.validation_alias or f"{prefix}{name.upper()}")
        default = field.default
        text = ":".join(map(str, default)) if isinstance(default, tuple) else str(default)
        shown = "" if default in (None, "", ()) else f"`{text}`"
        yield (f"`{variable}`", shown, field.description or "")


def _errors_table() -> str:
    return _table(
        ("code", "retryable", "send it by", "what it means", "what to do"),
        *(
            (
                f"`{code}`",
                "yes" if code in RETRYABLE else "no",
                "`/retry`" if code in RETRYABLE else "`/run`, changed",
                explanation.meaning,
                explanation.action,
            )
            for code, explanation in EXPLANATIONS.items()
        ),
    )


def _prices_table() -> str:
    columns = list(next(iter(CREDITS.values())))
    return _table(
        ("seconds", *(f"{quality} {resolution}" for quality, resolution in columns)),
        *(
            (str(duration), *(str(prices[column]) for column in columns))
            for duration, prices in CREDITS.items()
        ),
    )


def _times_table() -> str:
    return _table(
        ("job", "seconds, computed", "deadline", "dollars", "credits"),
        *(
            _times(recipe, {"resolution": resolution, "duration": duration}, option)
            for option in (None, Feature.TEMPORAL_UPSCALER, Feature.DETAILER)
            for recipe in catalogue().recipes
            for resolution in ("720p", "1080p")
            for duration in (10, 20)
            if option is None or recipe.offers(option)
        ),
    )


def _times(recipe: Recipe, size: dict[str, Any], option: Feature | None) -> tuple[str, ...]:
    raw = (
        {"prompt": "-", "model": recipe.family.name, "quality": recipe.name}
        | size
        | ({option.value: True} if option else {})
    )
    job, _ = JobInput.parse(raw)
    plan = make_plan(job, installed=lambda _: True)
    first = recipe.family is catalogue().families[0]
    name = job.quality if first else f"{recipe.family.title} {job.quality}"
    label = ", ".join([f"{name} {job.resolution} {job.duration} s", *([option.value] if option else [])])
    seconds = sum(stage_seconds(plan).values())
    dollars = f"{seconds / 3600 * GPU_HOUR:.2f}"
    return (label, f"{seconds:,.0f}", f"{deadline_seconds(plan):,.0f}", dollars, str(plan.credits))


def _models_table() -> str:
    return _table(
        ("file", "size", "sets", "needed for", "licence"),
        *(
            (
                f"`{file.relative}`",
                f"{'' if file.size_exact else 'about '}{file.size / 1e9:.2f} GB",
                ", ".join(file.sets),
                file.used_by,
                file.licence,
            )
            for file in manifest().values()
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    "job fields": _job_table,
    "settings": _settings_table,
    "studio settings": _studio_settings_table,
    "error codes": _errors_table,
    "prices": _prices_table,
    "times": _times_table,
    "models": _models_table,
} | {f"{way.name} fields": partial(_way_table, way.fields) for way in WAYS if way.fields}
