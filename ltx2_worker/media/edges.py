"""The frames of a source next to a join: their luma, by which the join is measured when the new ones come."""

from pathlib import Path

from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

#: The frames of a second, and one more: so many neighbours are compared on each side of a join.
EDGE_FRAMES = 25


class Edge:
    """A file of luma: frame after frame, height by width bytes each, in order.

    Arguments:
        path: the file; not written where there is no frame for it.
        first, last: of the frames that belong to it, the first, and the first one behind them.
    """

    def __init__(self, path: Path, first: int, last: int) -> None:
        self._path, self._frames = path, range(first, last)
        path.unlink(missing_ok=True)

    def has(self, number: int) -> bool:
        """Whether a frame belongs to it."""
        return number in self._frames

    def add(self, picture: VideoFrame) -> None:
        """Add the next frame, as it is delivered: yuv420p."""
        with self._path.open("ab") as file:
            file.writelines(rows(picture.planes[0]))


def rows(plane: VideoPlane) -> list[memoryview]:
    """The bytes of a plane row by row, without what the decoder puts behind each."""
    data = memoryview(plane)
    return [
        data[row : row + plane.width] for row in range(0, plane.height * plane.line_size, plane.line_size)
    ]
