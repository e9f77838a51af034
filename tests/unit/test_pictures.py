"""The README's pictures are what their command makes."""

from pathlib import Path

import pyte

from tools.readme_pictures import terminal, way

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
MADE = ("done.svg", "running.svg", "way-of-a-job.svg", "poster-of-random-weights.jpg")


def test_the_way_of_a_job_is_drawn_of_files_that_exist(tmp_path: Path) -> None:
    for box in way.BOXES.values():
        assert all((ROOT / name).exists() for name in box.ours)
    way.draw(tmp_path / "way.svg")
    drawn = (tmp_path / "way.svg").read_text(encoding="utf-8")
    assert drawn == (PICTURES / "way-of-a-job.svg").read_text(encoding="utf-8")


def test_every_picture_that_the_command_makes_is_here_and_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in MADE:
        assert (PICTURES / name).is_file()
        assert f"docs/pictures/{name}" in readme


def test_a_terminal_s_screen_becomes_a_picture_of_its_text(tmp_path: Path) -> None:
    screen = pyte.Screen(terminal.COLUMNS, terminal.LINES)
    pyte.ByteStream(screen).feed(b"first\r\nbar 10 %\r\x1b[2K\x1b[31mdone\x1b[0m\r\n")
    terminal.draw(screen, "command", tmp_path / "screen.svg")
    drawn = (tmp_path / "screen.svg").read_text(encoding="utf-8")
    assert all(word in drawn for word in ("command", "first", "done"))
    assert "bar" not in drawn
