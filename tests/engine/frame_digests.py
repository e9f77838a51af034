"""In place of the encoder: prints the digest of each frame that arrives. Run by the engine's Python.

Usage: python frame_digests.py ADDRESS, with the folder of the encoder's package as PYTHONPATH.
"""

import hashlib
import json
import sys

from encoder.connection import accept, listen
from encoder.ring import FrameReceiver

with listen(sys.argv[1]) as listening:
    receiver = FrameReceiver(accept(listening), lambda: None)
    receiver.begin()
    digests = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in receiver.frames()]
print(json.dumps({"order": receiver.order.to_json(), "digests": digests, "facts": receiver.facts}))
