"""The env inputs of .runpod/hub.json, from the settings; `python -m tools.reference` writes them.

The rest of the file is written by hand. A test fails when the two differ.
Source of the schema: RunPod's documentation, "Hub publishing guide" (`required`: its pull request 397).
"""

import json
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from ltx2_worker.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
LISTING = ROOT / ".runpod" / "hub.json"

#: Settings that describe the image itself, or are for tests: whoever sets them builds another image.
IMAGE_ONLY = {
    "revision",
    "comfyui_dir",
    "engine_python",
    "engine_device",
    "engine_nodes_dir",
    "work_dir",
    "allow_private_urls",
}

#: What most operators look at; the others are shown on request.
COMMON = {
    "offer", "warmup", "default_camera", "bucket_endpoint_url", "bucket_access_key_id",
    "bucket_secret_access_key", "bucket_name", "inline_base64", "execution_timeout",
}  # fmt: skip

#: A worker on the platform does not start without these, or a network volume, which no listing can bring.
REQUIRED = {"bucket_endpoint_url", "bucket_access_key_id", "bucket_secret_access_key", "bucket_name"}


def listing() -> str:
    """Return the whole file as it should be."""
    current = json.loads(LISTING.read_text(encoding="utf-8"))
    current["config"]["env"] = env_inputs()
    return json.dumps(current, indent=2) + "\n"


def env_inputs() -> list[dict[str, Any]]:
    """Return one env input per setting that an endpoint may have, in the order of the settings."""
    return [_env_input(name) for name in Settings.model_fields if name not in IMAGE_ONLY]


def env_name(name: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"LTX2_{name.upper()}"


def _env_input(name: str) -> dict[str, Any]:
    field = Settings.model_fields[name]
    kind = _plain(field.annotation)
    shown: dict[str, Any] = {
        "name": name.replace("_", " ").capitalize().replace("url", "URL").replace("C2pa", "C2PA"),
        "type": "string",
        "description": field.description,
        "advanced": name not in COMMON,
    }
    default = field.default
    if kind is bool:
        shown |= {"type": "boolean", "default": default, "trueValue": "true", "falseValue": "false"}
    elif kind in (int, float):
        shown["type"] = "number"
        for limit in field.metadata:
            shown |= {"min": limit.ge} if hasattr(limit, "ge") else {}
            shown |= {"max": limit.le} if hasattr(limit, "le") else {}
        shown |= {} if default is None else {"default": default}
    elif get_origin(kind) is Literal:
        shown["options"] = [{"label": str(value) or "off", "value": str(value)} for value in get_args(kind)]
        shown["default"] = str(default)
    elif isinstance(default, tuple):
        shown["default"] = ":".join(map(str, default))
    else:
        shown["default"] = "" if default is None else str(default)
    if name in REQUIRED:
        del shown["default"]
        shown["required"] = True
    return {"key": env_name(name), "input": shown}


def _plain(annotation: Any) -> Any:
    """A field's type without `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation
