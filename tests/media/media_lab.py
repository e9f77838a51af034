"""Pictures and videos for the tests, made here: small, valid, one for each format that is allowed."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import pillow_heif
from PIL import Image, ImageDraw

from ltx2_worker.media.fit import Frame

os.environ.setdefault("SVT_LOG", "1")  # its encoder is talkative, and asks no one else

#: The preview's size on the canvas that the union-control LoRA needs: a margin left and right.
PREVIEW = Frame(448, 256, 512, 256)
SMALL = Frame(128, 64, 128, 64)

#: What Pillow's `getpixel` returns: a tuple where the picture has several channels.
Pixel = float | tuple[int, ...] | None

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def quartered(width: int, height: int) -> Image.Image:
    """Red, green over blue, white: tells left from right and up from down."""
    picture = Image.new("RGB", (width, height), RED)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    draw.rectangle((width // 2, height // 2, width, height), fill=(255, 255, 255))
    return picture


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def pictures() -> dict[str, bytes]:
    """A valid file of every kind of picture that is allowed."""
    base = quartered(96, 64)
    animation = {"save_all": True, "append_images": [Image.new("RGB", (96, 64), BLUE)] * 3}
    return {
        "jpeg": encoded(base, "JPEG", quality=90),
        "jpeg progressive": encoded(base, "JPEG", progressive=True),
        "jpeg grey": encoded(base.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(base.convert("CMYK"), "JPEG"),
        "jpeg of a phone": encoded(
            base, "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64), BLUE)]
        ),
        "png": encoded(base, "PNG"),
        "png alpha": encoded(base.convert("RGBA"), "PNG"),
        "png palette": encoded(base.quantize(16), "PNG"),
        "png 16 bit": encoded(base.convert("L").convert("I;16"), "PNG"),
        "png bilevel": encoded(base.convert("1"), "PNG"),
        "webp": encoded(base, "WEBP", lossless=True),
        "webp animated": encoded(base, "WEBP", **animation),
        "gif": encoded(base, "GIF"),
        "gif animated": encoded(base, "GIF", **animation),
        "heic": encoded(base, "HEIF", quality=90),
    }


@contextmanager
def muxer(path: Path, container: str) -> Iterator[av.container.OutputContainer]:
    try:
        with av.open(str(path), "w", format=container) as output:
            yield output
    finally:
        be_an_ordinary_process()


def be_an_ordinary_process() -> None:
    """Undo what SVT-AV1 does to a process of root's: it makes it, and its children, real-time (SCHED_FIFO).

    Two busy ones then starve everything else on a machine of two cores.
    """
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


def add_video(
    output: av.container.OutputContainer,
    codec: str,
    size: tuple[int, int] = (96, 64),
    fps: int = 30,
    options: dict[str, str] | None = None,
) -> av.VideoStream:
    quiet = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "lp=1"}}
    stream = output.add_stream(codec, rate=fps, options={**quiet.get(codec, {}), **(options or {})})
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    stream.thread_count = 1
    return stream


def write_video(
    path: Path,
    codec: str = "libx264",
    container: str = "mp4",
    *,
    size: tuple[int, int] = (96, 64),
    fps: int = 30,
    frames: int = 12,
    options: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """A video of `quartered` whose frame k has a grey of 20 k in its centre."""
    with muxer(path, container) as output:
        stream = add_video(output, codec, size, fps, options)
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(frames):
            output.mux(stream.encode(numbered(index, size, fps)))
        output.mux(stream.encode(None))
    return path


def numbered(index: int, size: tuple[int, int], fps: int) -> av.VideoFrame:
    picture = quartered(*size)
    box = (size[0] // 3, size[1] // 3, size[0] * 2 // 3, size[1] * 2 // 3)
    ImageDraw.Draw(picture).rectangle(box, fill=(20 * index % 256,) * 3)
    frame: av.VideoFrame = av.VideoFrame.from_image(picture)
    frame.pts, frame.time_base = index, Fraction(1, fps)
    return frame


#: Encoder and container of every kind of video that is allowed.
VIDEO_KINDS = {
    "h264 mp4": ("libx264", "mp4"),
    "h264 mov": ("libx264", "mov"),
    "h264 mkv": ("libx264", "matroska"),
    "h265 mp4": ("libx265", "mp4"),
    "vp9 webm": ("libvpx-vp9", "webm"),
    "vp9 mp4": ("libvpx-vp9", "mp4"),
    "av1 webm": ("libsvtav1", "webm"),
    "av1 mp4": ("libsvtav1", "mp4"),
}


def decoded(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]
