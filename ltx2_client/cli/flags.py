"""A flag for every field of a job, made from the contract's JSON Schema: a new field brings its flag."""

import argparse
import json
from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ltx2_api.inputs import BASE64, URL
from ltx2_api.job import JobInput

from ..errors import InvalidJob
from .local_files import read_in

#: Fields that a command sets itself.
_OWN = ("prompt", "dry_run")
#: Where a flag's value is kept among the parsed arguments.
_PREFIX = "field:"

PRESETS: Mapping[str, Mapping[str, Any]] = json.loads(
    files("ltx2_client").joinpath("presets.json").read_text(encoding="utf-8")
)


def add_job_flags(parser: argparse.ArgumentParser) -> None:
    """Add the prompt, `--input`, `--preset`, and a flag for every other field."""
    parser.add_argument("prompt", nargs="?", help="what is seen and heard; - reads it from standard input")
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="a job as JSON to start from; flags go before it"
    )
    parser.add_argument("--preset", choices=list(PRESETS), help="settings to start from; flags go before it")
    groups = {"": parser.add_argument_group("the job's fields")}
    schema = JobInput.model_json_schema()
    fields = dict(_fields(schema))
    for path, field in fields.items():
        parent = path.partition(".")[0] if "." in path else ""
        if parent not in groups:
            text = schema["properties"][parent].get("description", "")
            groups[parent] = parser.add_argument_group(parent, str(text).replace("%", "%%"))
        _add(groups[parent], path, field, taken=fields)


def job_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The job's fields out of the parsed arguments, media files read in.

    Raises:
        InvalidJob: a file cannot be read, or is too large.
    """
    fields: dict[str, Any] = dict(PRESETS[arguments.preset]) if arguments.preset else {}
    if arguments.input is not None:
        fields |= _from_file(arguments.input)
    if arguments.prompt is not None:
        fields["prompt"] = arguments.prompt
    for name, value in vars(arguments).items():
        if name.startswith(_PREFIX):
            _set(fields, name.removeprefix(_PREFIX), value)
    return fields


def _fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field with its dotted path and its resolved schema; nested objects field by field."""
    definitions = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        if not prefix and name in _OWN:
            continue
        options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
        option = options[0] if len(options) == 1 else {}
        if "$ref" in option:
            option = definitions[option["$ref"].rpartition("/")[2]]
        if "properties" in option:
            yield from _fields({**option, "$defs": definitions}, f"{prefix}{name}.")
            continue
        description = f"{field.get('description', '')}{_form(option, definitions)}"
        yield f"{prefix}{name}", {**option, "description": description}


def _form(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What the JSON of a list of objects looks like, for its flag's help."""
    if "$ref" not in field.get("items", {}):
        return ""
    names = definitions[field["items"]["$ref"].rpartition("/")[2]]["properties"]
    shown = ", ".join(f'"{name}": …' for name in names if not name.endswith(BASE64))
    return f" As [{{{shown}}}, …]" + ("; a URL may be a file." if URL in shown else ".")


def _add(group: Any, path: str, field: Mapping[str, Any], taken: Collection[str]) -> None:
    stem, _, kind = path.rpartition("_")
    if kind == "base64":
        return  # sent by the flag of the file
    flag = "--" + path.replace(".", "-").replace("_", "-")
    common: dict[str, Any] = {
        "dest": _PREFIX + path,
        "default": argparse.SUPPRESS,
        "help": str(field["description"]).replace("%", "%%"),
    }
    if kind == "url":
        # By its name alone, unless another field is called so.
        short = () if stem in taken else (f"--{stem.replace('.', '-').replace('_', '-')}",)
        names = (*short, flag)
        group.add_argument(*names, metavar="FILE|URL", **(common | {"help": common["help"] + " Or a file."}))
    elif field.get("type") == "boolean":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
    elif "enum" in field:
        kinds = {type(value) for value in field["enum"]}
        group.add_argument(flag, choices=field["enum"], type=int if kinds == {int} else str, **common)
    elif field.get("type") in {"integer", "number"}:
        number = int if field["type"] == "integer" else float
        group.add_argument(flag, type=number, metavar=field["type"].upper()[:1], **common)
    elif field.get("type") == "string":
        group.add_argument(flag, metavar="TEXT", **common)
    else:
        group.add_argument(flag, type=_json, metavar="JSON", **common)


def _set(fields: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".")
    target = fields
    for parent in parents:
        inner = target.get(parent)
        target[parent] = target = dict(inner) if isinstance(inner, Mapping) else {}
    stem, _, kind = name.rpartition("_")
    if kind == "url":
        target.pop(name, None)
        target.pop(f"{stem}_base64", None)
    target |= read_in({name: value}, Path(), "".join(f"{parent}." for parent in parents))


def _from_file(path: Path) -> dict[str, Any]:
    """A job's fields, as `{"input": {…}}` or bare; files that it names lie beside it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidJob(f"{path} is not a job: {reason}.") from error
    inner = data.get("input", data) if isinstance(data, dict) else data
    if not isinstance(inner, dict):
        raise InvalidJob(f"{path} is not a job: it must hold a JSON object.")
    return read_in(inner, path.parent)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
