"""The real encoder process with made-up frames: started, fed and looked at."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Encoded, Encoder, EncoderFiles, EngineOptions
from ltx2_worker.engine.options import OWN_NODES

SENDER = Path(__file__).with_name("send_frames.py")
#: Ten frames of a moving picture.
MOVING = {"kind": "moving", "width": 320, "height": 192, "frames": 10}


@contextmanager
def sending(options: EngineOptions, address: str, **asked: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that sends frames, as `send_frames` says; it is ended with the block."""
    process = subprocess.Popen(
        [str(options.python), str(SENDER), address],
        env=options.environment() | {"PYTHONPATH": f"{OWN_NODES / 'encoder'}:{OWN_NODES}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked))
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait(10)


def next_line(sender: "subprocess.Popen[str]") -> str:
    """What a sender says next."""
    assert sender.stdout is not None
    return sender.stdout.readline()


def seen(sender: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a sender says at its end."""
    assert sender.stdout is not None
    lines = sender.stdout.read().split("\n")
    answer: dict[str, Any] = json.loads(lines[-2])
    return answer


def encode(options: EngineOptions, files: EncoderFiles, **asked: Any) -> tuple[Encoded, dict[str, Any]]:
    """Send frames to an encoder until its file is finished."""
    address = f"test-{uuid.uuid4().hex}"
    with Encoder(options, address, files) as encoder, sending(options, address, **asked) as sender:
        said = seen(sender)
        return encoder.wait(Deadline(60), lambda frames: None), said
