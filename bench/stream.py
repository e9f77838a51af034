"""Decoding and encoding in one stream beside the stock nodes: seconds, memory, what sampling loses to it."""

import json
import os
import subprocess
import time
import uuid
from statistics import median
from typing import Any

import psutil

from bench.lab import ROOT, scratch
from bench.table import Row
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Encoder, EncoderFiles, EngineOptions
from ltx2_worker.settings import Settings

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
#: Seconds of video of 24 frames each.
SECONDS = int(os.environ.get("BENCH_STREAM_SECONDS", "10"))
#: 960 frames are also 20 seconds at 48 frames a second.
LENGTHS = (240, 960)
ROUNDS = 3


def rows() -> list[Row]:
    """Measure all."""
    options = EngineOptions.from_settings(Settings())
    return [row for name in SIZES for row in _decoding(options, name)] + _launches(options)


def length_rows() -> list[Row]:
    """Measure the engine's memory over the length of the video: 1080p, 10 and 40 s at 24 frames a second."""
    options = EngineOptions.from_settings(Settings())
    peaks = {
        frames: _decode_into_process(options, (*SIZES["1080p"], frames))["peak_mb"] for frames in LENGTHS
    }
    return [
        Row(
            f"peak memory of the engine over its weights, 1080p, {frames} frames",
            f"{peak:.0f} MB",
            "under 2000 MB, flat",
        )
        for frames, peak in peaks.items()
    ]


def _decoding(options: EngineOptions, name: str) -> list[Row]:
    size = (*SIZES[name], SECONDS * 24)
    stock = _engine(options, "decode", "stock", *size)
    process = _decode_into_process(options, size)
    whole = {how: each["decode"] + each["after"] for how, each in (("stock", stock), ("process", process))}
    title = f"decode to closed file, {name}, {SECONDS} s"
    return [
        Row(
            title,
            f"{whole['process'] / whole['stock']:.2f} of the stock nodes' time "
            f"({whole['process']:.1f} of {whole['stock']:.1f} s)",
            "at most 0.75",
        ),
        Row(
            "... after the decoder is done",
            f"{process['after']:.2f} s, stock {stock['after']:.1f} s",
            "under 2.5 s at 1080p",
        ),
        Row(
            "... until the engine is free",
            f"{process['decode']:.1f} s, stock {whole['stock']:.1f} s",
        ),
        Row(
            "... processor time",
            f"engine {process['processor']:.0f} s and encoder {process['encoder']:.0f} s, "
            f"stock {stock['processor']:.0f} s",
        ),
        Row(
            "... peak memory of the engine over its weights",
            f"{process['peak_mb']:.0f} MB, stock {stock['peak_mb']:.0f} MB",
            "under 2000 MB at 960 frames of 1080p",
        ),
    ]


def _decode_into_process(options: EngineOptions, size: tuple[int, ...]) -> dict[str, float]:
    address = f"bench-{uuid.uuid4().hex}"
    with scratch() as folder, Encoder(options, address, EncoderFiles(folder / "video.mp4")) as encoder:
        process = _engine_process(options, "decode", address, *size)
        while not encoder.has_all_frames():
            if process.poll() not in {None, 0}:
                raise SystemExit("the engine's part of the measurement failed")
            time.sleep(0.02)
        complete = time.monotonic()
        used: list[float] = []

        def look(_: int) -> None:
            times = psutil.Process(encoder.pid).cpu_times()
            used.append(times.user + times.system)

        look(0)
        encoder.wait(Deadline(600), look)
        after = time.monotonic() - complete
        measured = _answer(process)
    return measured | {"after": after, "encoder": used[-1]}


def _launches(options: EngineOptions) -> list[Row]:
    """How many operations a thread launches beside an encoder, compared with alone."""
    shares: dict[str, list[float]] = {"thread": [], "process": []}
    for _ in range(ROUNDS):
        alone = _engine(options, "launches", "none", 4)["launches"]
        shares["thread"].append(_engine(options, "launches", "thread", 4)["launches"] / alone)
        address = f"bench-{uuid.uuid4().hex}"
        with scratch() as folder, Encoder(options, address, EncoderFiles(folder / "video.mp4")):
            shares["process"].append(_engine(options, "launches", address, 4)["launches"] / alone)
    return [
        Row(
            f"operations launched beside an encoder of 1080p, {label}",
            f"{median(shares[how]):.2f} of those without it "
            f"({min(shares[how]):.2f} to {max(shares[how]):.2f}, n={ROUNDS})",
        )
        for how, label in (("process", "a process"), ("thread", "a thread of the engine"))
    ]


def _engine(options: EngineOptions, *arguments: Any) -> dict[str, float]:
    return _answer(_engine_process(options, *arguments))


def _engine_process(options: EngineOptions, *arguments: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(options.python), "-m", "bench.stream_engine", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _answer(process: "subprocess.Popen[str]") -> dict[str, float]:
    output, _ = process.communicate(timeout=1200)
    if process.returncode != 0:
        raise SystemExit("the engine's part of the measurement failed; run bench.stream_engine to see why")
    answer: dict[str, float] = json.loads(output.splitlines()[-1])
    return answer
