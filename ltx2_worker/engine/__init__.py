"""ComfyUI as a part of this worker: owned, watched, restarted, and driven one graph at a time."""

from .client import Graph
from .encoder import Encoder, EncoderLost
from .encoder_files import Encoded, EncoderFiles, KeptPieces
from .engine import Engine
from .events import (
    Cached,
    Event,
    NodeProgress,
    NodeStarted,
    Preview,
    Queued,
    Restarted,
    RestartReason,
    Started,
)
from .job_order import Ticket
from .options import EngineOptions

__all__ = [
    "Cached",
    "Encoded",
    "Encoder",
    "EncoderFiles",
    "EncoderLost",
    "Engine",
    "EngineOptions",
    "Event",
    "Graph",
    "KeptPieces",
    "NodeProgress",
    "NodeStarted",
    "Preview",
    "Queued",
    "RestartReason",
    "Restarted",
    "Started",
    "Ticket",
]
