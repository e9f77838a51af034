"""A job's way through the parts of this repository, as an SVG: every box names files that exist."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT, GAP = 196, 66, 44
_MARGIN = 26
_INK, _PAPER, _LINE = "#1f2933", "#ffffff", "#52606d"


@dataclass(frozen=True)
class Box:
    """One part: where it stands (column, row), what it does, and the files that do it.

    Attributes:
        ours: files of this repository, from its root; none for a party that is not ours.
    """

    at: tuple[int, int]
    title: str
    what: str
    ours: tuple[str, ...] = ()


BOXES = {
    "caller": Box((0, 0), "caller", "ltx2, studio, a backend", ("ltx2_client", "ltx2_studio")),
    "queue": Box((1, 0), "RunPod", "queue, progress, result"),
    "endpoint": Box((2, 0), "take", "one job late, cancel, SIGTERM", ("handler.py", "ltx2_worker/endpoint")),
    "accept": Box((3, 0), "check and plan", "faults, price, exact numbers", ("ltx2_worker/plan", "ltx2_api")),
    "media": Box((4, 0), "fetch media", "in a process without secrets", ("ltx2_worker/media",)),
    "graph": Box((4, 1), "build the graph", "bind, bypass, prune", ("workflows", "ltx2_worker/workflow")),
    "engine": Box((3, 1), "ComfyUI", "LTX-2 on the GPU; watched", ("ltx2_worker/engine",)),
    "encoder": Box((2, 1), "encode", "while it decodes; poster", ("ltx2_worker/engine_nodes",)),
    "store": Box((1, 1), "check and deliver", "exact? then file, then record", ("ltx2_worker/storage",)),
    "bucket": Box((0, 1), "bucket", "ID.mp4, ID.jpg, ID.json"),
}
#: From, to, and what goes there.
ARROWS = (
    ("caller", "queue", "job"),
    ("queue", "endpoint", ""),
    ("endpoint", "accept", ""),
    ("accept", "media", ""),
    ("media", "graph", ""),
    ("graph", "engine", ""),
    ("engine", "encoder", "frames"),
    ("encoder", "store", "MP4"),
    ("store", "bucket", ""),
    ("store", "queue", "result"),
    ("bucket", "caller", "link"),
)


def draw(target: Path) -> None:
    """Write the picture."""
    columns, rows = (1 + max(box.at[axis] for box in BOXES.values()) for axis in (0, 1))
    width = 2 * _MARGIN + columns * WIDTH + (columns - 1) * GAP
    height = 2 * _MARGIN + rows * HEIGHT + (rows - 1) * 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>A job's way</title>",
        f'<rect width="{width}" height="{height}" rx="10" fill="{_PAPER}"/>',
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{_LINE}"/></marker></defs>',
        *(_arrow(BOXES[start], BOXES[end], label) for start, end, label in ARROWS),
        *(_box(box) for box in BOXES.values()),
        "</svg>",
    ]
    target.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _corner(box: Box) -> tuple[int, int]:
    column, row = box.at
    return _MARGIN + column * (WIDTH + GAP), _MARGIN + row * (HEIGHT + 2 * GAP)


def _box(box: Box) -> str:
    x, y = _corner(box)
    middle = x + WIDTH // 2
    fill = "#e3f0fb" if box.ours else "#f5f0e1"
    files = " · ".join(box.ours)
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="7" fill="{fill}" stroke="{_LINE}"/>'
        f'<text x="{middle}" y="{y + 21}" text-anchor="middle" font-size="15" font-weight="bold" '
        f'fill="{_INK}">{escape(box.title)}</text>'
        f'<text x="{middle}" y="{y + 39}" text-anchor="middle" font-size="11.5" fill="{_INK}">'
        f"{escape(box.what)}</text>"
        f'<text x="{middle}" y="{y + 55}" text-anchor="middle" font-size="9.5" fill="{_LINE}" '
        f'font-family="Menlo, Consolas, monospace">{escape(files)}</text>'
    )


def _arrow(start: Box, end: Box, label: str) -> str:
    (x0, y0), (x1, y1) = _corner(start), _corner(end)
    if start.at[1] == end.at[1]:
        right = end.at[0] > start.at[0]
        line = (x0 + WIDTH * right, y0 + HEIGHT // 2, x1 + WIDTH * (not right), y1 + HEIGHT // 2)
        words = ((line[0] + line[2]) // 2, line[1] - 6, "middle")
    else:
        down = end.at[1] > start.at[1]
        line = (x0 + WIDTH // 2, y0 + HEIGHT * down, x1 + WIDTH // 2, y1 + HEIGHT * (not down))
        words = (line[0] + 8, (line[1] + line[3]) // 2 + 4, "start")
    drawn = (
        f'<line x1="{line[0]}" y1="{line[1]}" x2="{line[2]}" y2="{line[3]}" stroke="{_LINE}" '
        f'stroke-width="1.6" marker-end="url(#tip)"/>'
    )
    said = f'<text x="{words[0]}" y="{words[1]}" text-anchor="{words[2]}" font-size="10.5" fill="{_LINE}">'
    return f"{drawn}{said}{escape(label)}</text>" if label else drawn
