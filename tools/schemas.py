"""The schemas and the price list for programs, made from ltx2_api: `python -m tools.reference` writes them.

`input.json` accepts what the worker accepts: pydantic's schema knows each field; the rules between fields,
null and the ignored fields are added here. A test holds it against `JobInput.parse`. `output.json`,
`progress.json` and `status.json` describe what RunPod's API hands to a caller, not what the worker returns:
RunPod moves `error` out of a failed job's reply, beside it.
Source of the format: JSON Schema, draft 2020-12.
"""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from ltx2_api.inputs import MEDIA_URL, URL
from ltx2_api.job import IGNORED_FIELDS, JobInput
from ltx2_api.prices import CREDITS, RATES
from ltx2_api.progress import Progress
from ltx2_api.reply import DryRunResult, FailureResult, VideoResult
from ltx2_api.schema_rules import add_rules, has, rule
from ltx2_studio.app import describe
from ltx2_worker import __version__

Schema = dict[str, Any]

#: Fields that every such reply has, although the model gives them a default: they tell the replies apart.
ALWAYS_SENT = {"DryRunResult": {"dry_run": {"const": True}}}


def input_schema() -> Schema:
    """What the worker accepts as a job's `input`."""
    schema = JobInput.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        _accept_null(part)
        for name in part["properties"]:
            if name.endswith(URL):
                _string_of(part["properties"][name])["pattern"] = MEDIA_URL
    add_rules(schema)
    schema["description"] = "One job: the `input` of a request."
    for name in IGNORED_FIELDS:
        schema["properties"][name] = {"description": "Ignored, with a warning.", "deprecated": True}
    return _named("input", "Job", schema)


def output_schema() -> Schema:
    """What stands in `output` of a job that is over."""
    definitions = _outputs()
    return _named(
        "output", "Output of a finished or failed job", {"$defs": definitions, "oneOf": _refs(definitions)}
    )


def progress_schema() -> Schema:
    """What stands in `output` while a job runs."""
    return _named("progress", "Progress of a job", _progress())


def status_schema() -> Schema:
    """What RunPod answers to /status, and sends to a webhook; RunPod may add fields to it.

    Source: RunPod's documentation, "Job operations" and "Webhook notifications".
    """
    definitions = {**_outputs(), "Progress": _progress()}
    done = [{"$ref": "#/$defs/VideoResult"}, {"$ref": "#/$defs/DryRunResult"}]
    milliseconds = {"type": "integer", "minimum": 0}
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The job's id; `job_id` in its output."},
            "status": {
                "enum": ["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"],
            },
            "delayTime": milliseconds | {"description": "Milliseconds in the queue."},
            "executionTime": milliseconds | {"description": "Milliseconds with the worker."},
            "workerId": {"type": "string"},
            "error": {"type": "string", "description": "One sentence for a person, when FAILED."},
        },
        "required": ["id", "status"],
        "allOf": [
            rule("The result.", has("status", "COMPLETED"), _output({"oneOf": done}, required=True)),
            rule(
                "The code is missing where RunPod itself failed the job.",
                has("status", "FAILED"),
                _output({"$ref": "#/$defs/FailureResult"}) | {"required": ["error"]},
            ),
            rule("How far it is.", has("status", "IN_PROGRESS"), _output({"$ref": "#/$defs/Progress"})),
        ],
        "$defs": definitions,
    }
    return _named("status", "A job's status", schema)


def price_list() -> dict[str, Any]:
    """The prices in credits, a row for each; what is not asked for in a row does not change the price."""
    return {
        "version": __version__,
        "unit": "credits",
        "free": ["preview", "dry_run"],
        "prices": [
            {"quality": quality, "resolution": resolution, "duration": duration, "credits": price}
            for duration, row in CREDITS.items()
            for (quality, resolution), price in row.items()
        ],
        "per_second": [
            {"quality": quality, "resolution": resolution, "credits": rate}
            for (quality, resolution), rate in RATES.items()
        ],
    }


def _named(name: str, title: str, schema: Schema) -> Schema:
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ltx2-worker:{__version__}:{name}",
        "title": title,
    }
    return head | {key: value for key, value in schema.items() if key not in head}


def _outputs() -> dict[str, Schema]:
    models: list[type[BaseModel]] = [VideoResult, DryRunResult, FailureResult]
    _, schema = models_json_schema([(model, "serialization") for model in models])
    definitions: dict[str, Schema] = schema["$defs"]
    for name, fields in ALWAYS_SENT.items():
        definitions[name]["properties"] |= fields
        definitions[name]["required"] += list(fields)
    failure = definitions["FailureResult"]
    failure["description"] = "A failed job. Its `error` stands beside `output`, where RunPod puts it."
    failure["properties"].pop("error")
    failure["required"].remove("error")
    return definitions


def _refs(definitions: dict[str, Schema]) -> list[Schema]:
    return [{"$ref": f"#/$defs/{name}"} for name in definitions if name in _TOP]


_TOP = {model.__name__ for model in (VideoResult, DryRunResult, FailureResult)}


def _progress() -> Schema:
    """`Progress.as_json` leaves out what is None, and sends the picture as base64."""
    schema = TypeAdapter(Progress).json_schema(mode="serialization")
    stages = schema.pop("$defs")["Stage"]
    fields = schema["properties"]
    fields["percent"] |= {"minimum": 0, "maximum": 99, "description": "Never lower than before."}
    fields["stage"] = stages | {"description": "What the job goes through, in this order."}
    fields["seconds_left"] |= {"minimum": 0, "description": "Estimate for the whole job."}
    for name in ("step", "steps"):
        fields[name] = {"type": "integer", "minimum": 0}
    fields["picture"] = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/jpeg"}
    schema["required"] = ["percent", "stage", "seconds_left"]
    schema["additionalProperties"] = False
    schema["description"] = "The `output` of a job that runs."
    return schema


def _accept_null(part: Schema) -> None:
    """A null field is one that was left out, for the worker; a required one must be given."""
    for name, field in part["properties"].items():
        if name in part.get("required", ()) or {"type": "null"} in field.get("anyOf", ()):
            continue
        texts = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
        part["properties"][name] = texts | {"anyOf": [field, {"type": "null"}]}


def _string_of(field: Schema) -> Schema:
    found: Schema = next(option for option in field["anyOf"] if option.get("type") == "string")
    return found


def _output(schema: Schema, *, required: bool = False) -> Schema:
    return {"properties": {"output": schema}} | ({"required": ["output"]} if required else {})


def studio_openapi() -> Schema:
    """The studio's HTTP API (OpenAPI 3.1), as its application describes itself."""
    return describe()
