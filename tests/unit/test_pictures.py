"""The README's pictures are what their command makes."""

import re
from pathlib import Path

import pyte

from tools.pictures import terminal, way

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"


def test_the_way_of_a_job_is_drawn_of_files_that_exist(tmp_path: Path) -> None:
    for box in way.BOXES.values():
        assert all((ROOT / name).exists() for name in box.ours)
    way.draw(tmp_path / "way.svg")
    drawn = (tmp_path / "way.svg").read_text(encoding="utf-8")
    assert drawn == (PICTURES / "way-of-a-job.svg").read_text(encoding="utf-8")


def test_every_picture_of_the_readme_is_here_and_used() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"docs/pictures/([\w.-]+)", readme))
    assert shown == {path.name for path in PICTURES.iterdir()}


def test_a_terminal_s_screen_becomes_a_picture_of_its_text(tmp_path: Path) -> None:
    screen = pyte.Screen(terminal.COLUMNS, terminal.LINES)
    pyte.ByteStream(screen).feed(b"first\r\nbar 10 %\r\x1b[2K\x1b[31mdone\x1b[0m\r\n")
    terminal.draw(screen, "command", tmp_path / "screen.svg")
    drawn = (tmp_path / "screen.svg").read_text(encoding="utf-8")
    assert all(word in drawn for word in ("command", "first", "done"))
    assert "bar" not in drawn
