"""One measurement inside ComfyUI's code, without its server; run by the engine's Python for bench/stream.py.

    python -m bench.stream_engine decode stock|thread|ADDRESS WIDTH HEIGHT FRAMES
    python -m bench.stream_engine launches none|thread|ADDRESS SECONDS

ADDRESS is where an encoder process listens. The result is a line of JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

arguments = sys.argv[1:]
sys.path.insert(0, os.environ["LTX2_COMFYUI_DIR"])
sys.argv = [sys.argv[0], *(["--cpu"] if os.environ.get("LTX2_ENGINE_DEVICE") == "cpu" else [])]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import folder_paths  # noqa: E402
import nodes  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402
from comfy.ldm.lightricks.vae import causal_video_autoencoder  # noqa: E402
from comfy_api.latest import InputImpl, Types  # noqa: E402

from ltx2_worker.engine_nodes.encoder.local import LocalSender  # noqa: E402
from ltx2_worker.engine_nodes.encoder.order import Files, Order  # noqa: E402
from ltx2_worker.engine_nodes.encoder.ring import FrameSender  # noqa: E402
from ltx2_worker.engine_nodes.stream import DecodeToMP4  # noqa: E402

#: The real decoder's last block holds so many frames of 1080p in a chunk of 128 MB; the tiny one has fewer
#: channels, so that its chunk is set to hold as many.
FRAMES_A_CHUNK, TINY_CHANNELS = 4, 4
FPS, CRF, RATE = 24.0, 18.0, 24_000


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("decode", "launches"))
    parser.add_argument("how")
    parser.add_argument("numbers", type=int, nargs="+")
    asked = parser.parse_args(arguments)
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory(prefix="ltx2-bench-") as name:
        folder_paths.set_output_directory(name)
        measured = (decode if asked.what == "decode" else launches)(asked.how, *asked.numbers)
    sys.stdout.write(json.dumps(measured) + "\n")


def decode(how: str, width: int, height: int, frames: int) -> dict[str, float]:
    """Decode and encode a video; seconds until the GPU would be free, then until the file is closed."""
    vae = _vae()
    canvas_width, canvas_height = -(-width // 64) * 64, -(-height // 64) * 64
    causal_video_autoencoder.get_max_chunk_size = lambda _: (
        FRAMES_A_CHUNK * TINY_CHANNELS * 4 * canvas_width * canvas_height // 16
    )
    size = (-(-(frames - 1) // 8) + 1, canvas_height // 32, canvas_width // 32)
    torch.manual_seed(0)
    # Smooth, so that the picture compresses like one.
    coarse = torch.randn(1, 128, max(2, size[0] // 4), size[1] // 4 + 1, size[2] // 4 + 1)
    latent = torch.nn.functional.interpolate(coarse, size=size, mode="trilinear")
    x, y = (canvas_width - width) // 2, (canvas_height - height) // 2
    audio = {"waveform": torch.randn(1, 2, int(RATE * frames / FPS)) * 0.05, "sample_rate": RATE}
    with _peak() as peak:
        begun, used = time.monotonic(), _processor_seconds()
        if how == "stock":
            decoded = _stock(vae, latent, (x, y, width, height, frames), audio)
        else:
            address = "" if how == "thread" else how
            values: dict[str, Any] = {
                "width": width,
                "height": height,
                "x": x,
                "y": y,
                "frames": frames,
                "fps": FPS,
            }
            DecodeToMP4().run(
                samples={"samples": latent},
                vae=vae,
                audio=audio,
                crf=CRF,
                buffer_mb=500,
                filename_prefix="stream",
                encoder=address,
                **values,
            )
            decoded = time.monotonic()
        ended = time.monotonic()
    return {
        "decode": decoded - begun,
        "after": ended - decoded,
        "processor": _processor_seconds() - used,
        "peak_mb": peak.megabytes,
    }


def _processor_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def _stock(
    vae: Any, latent: torch.Tensor, cut: tuple[int, int, int, int, int], audio: dict[str, Any]
) -> float:
    """VAEDecode, ImageCrop, ImageFromBatch and SaveVideo; returns when the decoder was done."""
    x, y, width, height, frames = cut
    images = nodes.VAEDecode().decode(vae, {"samples": latent})[0]
    decoded = time.monotonic()
    images = images[:, y : y + height, x : x + width][:frames].clone()
    video = InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, audio=audio, frame_rate=Fraction(int(FPS)))
    )
    target = str(Path(folder_paths.get_output_directory()) / "stock.mp4")
    video.save_to(target, format=Types.VideoContainer("mp4"), codec=Types.VideoCodec("h264"), crf=CRF)
    return decoded


def launches(how: str, seconds: int) -> dict[str, float]:
    """Small operations a second on one thread, as a GPU's are launched, beside an encoder at work."""
    torch.set_num_threads(1)
    stop = threading.Event()
    order = Order(1920, 1080, 100_000, Fraction(24), CRF)
    sender: LocalSender | FrameSender | None = None
    if how == "thread":
        files = Files(Path(folder_paths.get_output_directory()) / "beside.mp4")
        sender = LocalSender(order, files, None, 10**8, lambda: None)
    elif how != "none":
        sender = FrameSender(how, order, None, 10**8, lambda: None)
    feeding = threading.Thread(target=_feed, args=(sender, stop), daemon=True)
    if sender is not None:
        feeding.start()
        time.sleep(1)
    numbers, count, until = torch.zeros(16), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(1000):
            numbers.add_(1)
        count += 1000
    stop.set()
    return {"launches": count / seconds}


def _feed(sender: LocalSender | FrameSender, stop: threading.Event) -> None:
    """Keep the encoder busy with frames that are there already, so that only the encoder costs something."""
    frame = np.random.default_rng(0).integers(0, 255, (135, 240, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    while not stop.is_set():
        sender.slot()[:] = frame
        sender.send()


def _vae() -> Any:
    for folder in os.environ["LTX2_MODELS_DIRS"].split(":"):
        folder_paths.add_model_folder_path("checkpoints", str(Path(folder) / "checkpoints"), is_default=True)
    name = next(name for name in folder_paths.get_filename_list("checkpoints") if "distilled" in name)
    return nodes.CheckpointLoaderSimple().load_checkpoint(name)[2]


class _peak:  # noqa: N801 - read as a word of the with statement
    """The most memory that this process had while the block ran, over what it had before."""

    def __enter__(self) -> "_peak":
        self._process, self._stop = psutil.Process(), threading.Event()
        self._base = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        return (self._most - self._base) / 1e6

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)


if __name__ == "__main__":
    main()
