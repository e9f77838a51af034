"""The last frame of a clip as a picture: where the next scene of a story begins."""

import io
from pathlib import Path
from typing import Any

from .errors import BadDownload, NotConfigured


def require() -> None:
    """Make sure that clips can be opened; raises `NotConfigured`."""
    _av()


def last_frame(clip: Path) -> bytes:
    """The last frame of an MP4 as a PNG, without loss.

    Raises:
        BadDownload: the clip cannot be opened, or has no picture.
        NotConfigured: PyAV is not installed.
    """
    av = _av()
    try:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            # Decoding starts at the last key frame before the end; a short clip may have only the first.
            if stream.duration:
                container.seek(max(0, stream.duration - 1), stream=stream)
            frame = None
            for frame in container.decode(stream):  # noqa: B007 - the last one is wanted
                pass
            if frame is None:
                raise BadDownload(f"{clip} holds no picture.")
            return _png(av, frame)
    except (av.FFmpegError, IndexError) as error:
        raise BadDownload(f"{clip} cannot be opened as a video.") from error


def _png(av: Any, frame: Any) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "rgb24"
        picture = frame.reformat(format="rgb24")
        picture.pts = None
        for packet in (*stream.encode(picture), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def _av() -> Any:
    try:
        import av  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise NotConfigured("Opening clips needs PyAV: pip install 'ltx2-client[film]'.") from error
    return av
