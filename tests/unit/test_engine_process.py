"""The engine's process, with a small script in ComfyUI's place."""

import sys
import time
from pathlib import Path

import pytest

from ltx2_worker.engine import EngineOptions
from ltx2_worker.engine.process import EngineProcess


def run(script: str, tmp_path: Path) -> EngineProcess:
    """Run a script as if it were ComfyUI's main.py, to its end."""
    (tmp_path / "main.py").write_text(script)
    options = EngineOptions(comfyui_dir=tmp_path, python=Path(sys.executable), work_dir=tmp_path)
    process = EngineProcess(options, 1)
    process._process.wait(20)
    process.end()
    return process


def test_the_last_lines_are_kept_without_colors_and_progress_bars_are_lines(tmp_path: Path) -> None:
    process = run(r"print('\033[32m[INFO]\033[0m one\n 10%\r 20%\r\ntwo', end='')", tmp_path)
    assert process.last_lines() == "[INFO] one\n 10%\n 20%\ntwo"


def test_neither_endless_lines_nor_endless_output_fill_memory(tmp_path: Path) -> None:
    process = run("print('x' * 10_000_000)\nfor i in range(5000): print(i)", tmp_path)
    assert len(process._lines) == 200
    assert process._lines[-1] == "4999"
    assert max(map(len, process._lines)) <= 2000


def test_a_process_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    script = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, b"ready\\n")
signal.pause()
"""
    (tmp_path / "main.py").write_text(script)
    options = EngineOptions(comfyui_dir=tmp_path, python=Path(sys.executable), work_dir=tmp_path)
    process = EngineProcess(options, 1)
    while list(process._lines).count("ready") < 2:
        assert process.exit_status() is None
        time.sleep(0.01)
    process.end(grace_seconds=0.1)
    assert process.exit_status() == -9
    # The reader ends when nobody holds the pipe's other end any more: the child is gone too.
    assert not process._reader.is_alive()


@pytest.mark.parametrize(
    "line", ["Port 8188 is already in use on address 127.0.0.1.", "Address already in use"]
)
def test_a_taken_port_is_recognised(line: str, tmp_path: Path) -> None:
    assert run(f"import sys; print({line!r}); sys.exit(1)", tmp_path).port_was_taken()
