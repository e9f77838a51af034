"""`local studio` as a person meets it: from a prompt to a playing video and a film, on the real engine."""

import os
import re
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from local.places import ROOT
from tests.engine.fixtures import NEEDED
from tests.page.conftest import VIOLATIONS
from tests.page.screen import make_preview, write

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

#: Milliseconds for the engine to start and to make a preview.
MAKING = 120_000


class LocalStudio:
    """A running `python -m local.studio`, with what it says."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in NEEDED if not os.environ.get(name)]
        assert not missing, f"needs {', '.join(missing)}; `python3 -m local test` sets them"
        own = {"LTX2_WORK_DIR": str(folder / "work"), "LTX2_SPOOL_DIR": str(folder / "spool")}
        own["LTX2_OFFER"] = "shapes"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.studio", "--port", "0", "--logs", str(folder)],
            cwd=ROOT,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def address(self) -> str:
        with self._said:
            told = self._said.wait_for(lambda: "The studio is at" in "".join(self.lines), 60)
        assert told, self.lines
        found = re.search(r"http://\S+", "".join(self.lines))
        assert found
        return found[0]

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line)
                self._said.notify_all()


@pytest.fixture
def studio_process(tmp_path: Path) -> Iterator[LocalStudio]:
    started = LocalStudio(tmp_path)
    below = psutil.Process(started.process.pid)
    try:
        yield started
    finally:
        for process in [*below.children(recursive=True), below] if started.process.poll() is None else []:
            process.kill()
        started.process.wait(10)


def test_from_a_prompt_to_a_playing_video_and_a_film_and_then_everything_ends(
    browser: Browser, studio_process: LocalStudio, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.add_init_script(VIOLATIONS)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(studio_process.address())
    write(page, "Waves roll onto a pebble beach, gulls cry.")
    # The page shows what the worker behind it offers.
    expect(page.get_by_label("Shape")).to_be_visible()
    make_preview(page)
    expect(page.get_by_text("Looks right?")).to_be_visible(timeout=MAKING)
    _plays(page, "ltx2-stage video", (448, 256))
    for _ in range(2):
        page.get_by_role("button", name="Add to film").click()
    page.get_by_label("Transition to clip 2", exact=True).select_option("Crossfade")
    page.get_by_label("Music: choose a file").set_input_files(_music(tmp_path / "tune.wav"))
    expect(page.get_by_label("Beside the clips")).to_be_visible()
    page.get_by_role("button", name="Make film").click()
    expect(page.get_by_role("button", name="Download film")).to_be_visible(timeout=60_000)
    _plays(page, "ltx2-film video", (448, 256))
    assert faults == []
    context.close()

    below = psutil.Process(studio_process.process.pid).children(recursive=True)
    studio_process.process.send_signal(signal.SIGINT)
    assert studio_process.process.wait(60) == 0
    assert studio_process.lines[-1].startswith("The studio has ended")
    assert psutil.wait_procs(below, 10)[1] == []


def _plays(page: Page, video: str, size: tuple[int, int]) -> None:
    """The video has this size, and its time moves on."""
    page.wait_for_function(
        "([e, [width, height]]) => e.videoWidth === width && e.videoHeight === height && e.currentTime > 0.2",
        arg=[page.locator(video).element_handle(), size],
    )


def _music(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes((n * 40) % 250 for n in range(32_000)))
    return path
