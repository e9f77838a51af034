"""The encoder as a process: `python -m encoder ADDRESS FILES`, FILES being `Files` as JSON.

It waits for a sender at ADDRESS, encodes what it sends, says on its standard output, as JSON lines, how far
it is, and ends with the file. A sender that goes away early is forgotten, and the next one is waited for: the
engine may have been restarted. Its owner ends it when nobody wants the file any more.
"""

import errno
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from .connection import SenderLost, accept, listen
from .order import Files, Kept
from .recorder import Recorded, Recorder
from .ring import FrameReceiver

#: The engine samples the next video meanwhile: where both want the same processor, it gets three quarters
#: (nice 0 against 5 is 1024 to 335 in Linux's scheduler), and the encoder still gets on.
_NICENESS = 5
_TELL_EVERY = 0.5
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(arguments: list[str]) -> int:
    """Encode one video; return the exit status."""
    address, files_json = arguments
    os.nice(_NICENESS)
    files = _files(json.loads(files_json))
    with listen(address) as listening:
        _tell("ready")
        while True:
            with accept(listening) as connection:
                try:
                    recorded, facts = _record(connection, files)
                except SenderLost:
                    _tell("forgotten")
                    continue
                except OSError as error:
                    full = error.errno in _DISK_FULL
                    sys.stderr.write(f"{type(error).__name__}: {error.strerror}\n")
                    _tell("disk_full" if full else "failed")
                    return 1
            _tell("finished", **recorded.to_json(), facts=facts)
            return 0


def _record(connection: socket.socket, files: Files) -> tuple[Recorded, dict[str, Any]]:
    frames = FrameReceiver(connection, lambda: _tell("received"))
    told = time.monotonic()
    _tell("encoding", frames=0)
    # The decoder begins meanwhile: encoding all of the sound, which comes first, takes a while.
    frames.begin()
    recorder = Recorder(frames.order, files, frames.sound)
    try:
        for rgb in frames.frames():
            recorder.add(rgb)
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                _tell("encoding", frames=recorder.frames)
        return recorder.finish(), frames.facts
    except BaseException:
        recorder.abandon()
        raise


def _files(values: dict[str, Any]) -> Files:
    poster, animation = values.get("poster"), values.get("animation")
    return Files(
        video=Path(values["video"]),
        poster=Path(poster) if poster else None,
        animation=Path(animation) if animation else None,
        metadata=values.get("metadata", {}),
        kept=Kept.from_json(values["kept"]) if values.get("kept") else None,
    )


def _tell(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event} | facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
