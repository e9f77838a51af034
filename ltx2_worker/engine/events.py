"""The events of a running graph, read from ComfyUI's websocket messages.

Message shapes: ComfyUI 0.30.0, `execution.py`, `comfy_execution/progress.py`, `server.py`, `protocol.py`.
"""

import json
import struct
from dataclasses import dataclass
from enum import StrEnum, auto

#: Sent first on a websocket, so that previews come with the id of their prompt.
FEATURE_FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
_PREVIEW_WITH_METADATA = 4
_UINT32 = struct.Struct(">I")


class RestartReason(StrEnum):
    """Why a graph is run again."""

    ENGINE_STOPPED = auto()
    ENGINE_HUNG = auto()
    OUT_OF_MEMORY = auto()
    PROMPT_LOST = auto()
    UNUSABLE_PICTURE = auto()


@dataclass(frozen=True)
class Queued:
    """The engine has accepted the prompt; another one may still be running."""


@dataclass(frozen=True)
class Started:
    """The engine has begun this prompt."""


@dataclass(frozen=True)
class Cached:
    """These nodes (ids in the graph) have kept their results and will not run."""

    node_ids: tuple[str, ...]


@dataclass(frozen=True)
class NodeStarted:
    """A node has begun."""

    node_id: str


@dataclass(frozen=True)
class NodeProgress:
    """A node is at step `value` of `maximum`."""

    node_id: str
    value: float
    maximum: float


@dataclass(frozen=True)
class Preview:
    """A JPEG of the emerging picture (first frame, longest side at most 512 px)."""

    jpeg: bytes


@dataclass(frozen=True)
class Restarted:
    """The graph is being run again from its beginning."""

    why: RestartReason


@dataclass(frozen=True)
class Ended:
    """The prompt is over, well or not; only /history knows which. Not passed on to the caller."""


Event = Queued | Started | Cached | NodeStarted | NodeProgress | Preview | Restarted


def parse(message: str | bytes, prompt_id: str) -> Event | Ended | None:
    """The event in a websocket message, or None: another prompt's, not of interest, or garbage.

    Arguments:
        message: a text or binary message as received.
        prompt_id: only messages that name this prompt count.
    """
    try:
        return (
            _parse_binary(message, prompt_id)
            if isinstance(message, bytes)
            else _parse_text(message, prompt_id)
        )
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None


def _parse_text(message: str, prompt_id: str) -> Event | Ended | None:
    envelope = json.loads(message)
    data = envelope["data"]
    if data["prompt_id"] != prompt_id:
        return None
    match envelope["type"]:
        case "execution_start":
            return Started()
        case "execution_cached":
            return Cached(tuple(str(node_id) for node_id in data["nodes"]))
        case "executing":
            return Ended() if data["node"] is None else NodeStarted(str(data["node"]))
        case "progress":
            return NodeProgress(str(data["node"]), float(data["value"]), float(data["max"]))
        case "execution_success" | "execution_error" | "execution_interrupted":
            return Ended()
    return None


def _parse_binary(message: bytes, prompt_id: str) -> Preview | None:
    (kind,) = _UINT32.unpack_from(message)
    if kind != _PREVIEW_WITH_METADATA:
        return None
    (length,) = _UINT32.unpack_from(message, 4)
    metadata = json.loads(message[8 : 8 + length])
    image = message[8 + length :]
    if metadata["prompt_id"] != prompt_id or metadata["image_type"] != "image/jpeg" or not image:
        return None
    return Preview(image)
