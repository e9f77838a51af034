"""Sends a made-up video to an encoder, as the node does. Run by the engine's Python.

Usage: python send_frames.py ADDRESS, with the folder of the worker's nodes as PYTHONPATH, and a specification
as JSON on standard input; it prints what the node would have seen of the frames.
"""

import json
import sys
import time
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from encoder.connection import ReceiverLost
from encoder.order import Order, Sound
from encoder.ring import FrameSender
from look import Look

GREEN = (0, 255, 0)


def picture(
    kind: str, width: int, height: int, number: int, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Frame `number` of a video of this kind."""
    across = np.linspace(0, 1, width)[None, :, None] * np.ones((height, 1, 3))
    frame: npt.NDArray[np.uint8]
    match kind:
        case "green":
            return np.full((height, width, 3), GREEN, np.uint8)
        case "noise":
            return random.integers(0, 256, (height, width, 3), np.uint8)
        case "black":  # as decoded: it wavers
            return random.integers(0, 4, (height, width, 3), np.uint8)
        case "grey":
            return random.integers(126, 130, (height, width, 3), np.uint8)
        case "night":  # dark, with a lamp at its edge
            frame = (across * 6).astype(np.uint8) + random.integers(0, 4, (height, width, 3), np.uint8)
            frame[height // 3 : height // 3 + height // 24, 8 + number : 8 + number + height // 24] = 90
            return frame
        case "fog":  # a still gradient of a few levels, with grain
            return (150 + across * 12 + random.normal(0, 4, (height, width, 3))).astype(np.uint8)
        case "portrait" | "still":  # nothing moves; in a portrait, one eye closes once
            frame = (40 + across * 160).astype(np.uint8) + random.integers(0, 4, (height, width, 3), np.uint8)
            if kind == "portrait" and number == 5:
                eye = (
                    slice(height // 3, height // 3 + height // 40),
                    slice(width // 2, width // 2 + width // 32),
                )
                frame[eye] //= 2
            return frame
    return np.roll((across * 255).astype(np.uint8), 3 * number, axis=1)  # "moving"


def main() -> None:
    """Send what was asked for."""
    asked = json.load(sys.stdin)
    random = np.random.default_rng(1)
    sound = None
    if rate := asked.get("rate"):
        times = np.arange(int(rate * asked["sound_seconds"])) / rate
        wave = asked.get("amplitude", 0.1) * np.sin(2 * np.pi * 997 * times)
        waveform = np.stack([wave, wave]).astype(np.float32)
        sound = Sound(rate, *waveform.shape)
    width, height, frames = asked["width"], asked["height"], asked["frames"]
    order = Order(width, height, frames, Fraction(asked.get("fps", 24)), asked.get("crf", 18.0), sound)
    look = Look()

    def waits() -> None:
        if asked.pop("say_when_full", False):
            print(f"{sender.waiting} frames wait", flush=True)

    given = waveform if sound else None
    sender = FrameSender(sys.argv[1], order, given, asked.get("buffer_bytes", 10**7), lambda: None)
    sender._check = waits
    try:
        for number in range(asked.get("send", frames)):
            slot = sender.slot()
            slot[:] = picture(asked["kind"], width, height, asked.get("begin", 0) + number, random)
            look.add(slot)
            sender.send()
            if number == asked.get("say_at"):
                print("sent", flush=True)
                time.sleep(asked.get("pause", 0))
    except ReceiverLost:
        print(json.dumps({"receiver_lost": True}))
        return
    if asked.get("send", frames) == frames:
        sender.finish({"frozen": look.frozen})
    else:
        sender.close()
    print(json.dumps({"unusable": look.unusable, "frozen": look.frozen}), flush=True)


main()
