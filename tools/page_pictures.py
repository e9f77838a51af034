"""Takes the pictures of the page in docs/pictures/studio: a real browser at a studio with the real engine.

    .local/tests/bin/python -m tools.page_pictures

It starts `python3 -m local studio`, makes a few previews and a film, and looks at them. With tiny weights
every video is coloured mist: the pictures show nothing of the model, and everything of the page.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from local import browser as browsers
from local.places import ROOT

FOLDER = ROOT / "docs" / "pictures" / "studio"
PROMPTS = (
    "Wide shot on a pebble beach at dusk. A woman in a yellow raincoat throws a stone; it skips three times. "
    "Waves drag over the stones, gulls cry.",
    "Close-up in a dark bakery before dawn. Two floury hands break open a round loaf; steam rises through "
    "the light. The crust crackles.",
    "Medium close-up, soft window light. A grey cat on a wooden sill turns its head towards the camera and "
    "begins to purr. Rain taps on the pane.",
)
#: Milliseconds for one preview on two cores, the engine's start included.
PATIENCE = 240_000
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 780}


def main() -> int:
    """Take all pictures anew; 1 if there is no browser."""
    parser = argparse.ArgumentParser(prog="python -m tools.page_pictures", description=__doc__)
    parser.add_argument("--address", help="of a studio that runs already, with its token")
    options = parser.parse_args()
    found = browsers.find()
    if found is None:
        sys.stderr.write(f"{browsers.MISSING}\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _studio(options.address) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(found.program), args=list(found.flags), env=dict(found.environment)
        )
        _take(browser, address)
        browser.close()
    return 0


@contextmanager
def _studio(address: str | None) -> Iterator[str]:
    if address:
        yield address
        return
    command = [sys.executable, "-m", "local", "studio", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if "The studio is at " in line:
                    yield line.split()[-1]
                    return
            raise RuntimeError("the studio did not start")
        finally:
            process.terminate()
            process.wait(90)


def _take(browser: Browser, address: str) -> None:
    page = _open(browser, address, "dark")
    expect(page.get_by_text("Describe a shot.")).to_be_visible()
    _save(page, "empty-1280")
    for number, prompt in enumerate(PROMPTS):
        page.get_by_label("What is seen and heard").fill(prompt)
        if number == len(PROMPTS) - 1:
            _take_emerging(page)
        page.locator("#preview").click()
        expect(page.locator("ltx2-stage .prompt")).to_have_text(prompt)
        expect(page.get_by_text("Looks right?")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Add to film").click()
    _settle(page)
    _save(page, "done-1280")
    for clip, kind in ((2, "crossfade"), (3, "fade_black")):
        page.get_by_label(f"Transition to clip {clip}", exact=True).select_option(kind)
        page.get_by_label(f"Seconds of the transition to clip {clip}").select_option("0.25 s")
    page.locator("#make-film").click()
    expect(page.get_by_role("button", name="Download film")).to_be_visible(timeout=PATIENCE)
    page.locator("ltx2-film").scroll_into_view_if_needed()
    _settle(page)
    page.locator("ltx2-film").screenshot(path=FOLDER / "film-1280.png")
    for scheme in ("light", "dark"):
        other = _open(browser, address, scheme)
        expect(other.get_by_text("Looks right?")).to_be_visible()
        _settle(other)
        if scheme == "light":
            _save(other, "light-1280")
        other.set_viewport_size(PHONE)  # type: ignore[arg-type]
        other.evaluate("scrollTo(0, 0)")
        _settle(other)
        _save(other, f"compose-{scheme}-360")
        other.locator("ltx2-stage").evaluate("stage => stage.scrollIntoView()")
        _settle(other)
        _save(other, f"stage-{scheme}-360")


def _take_emerging(page: Page) -> None:
    """A whole video under way, as far as it is seen already; a preview is over too soon for that."""
    page.locator("#generate").click()
    expect(page.get_by_alt_text("The video so far")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(2500)  # until it is there in full
    _save(page, "running-1280")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("You cancelled it.")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Remove", exact=True).click()


def _open(browser: Browser, address: str, scheme: str) -> Page:
    dark = "dark" if scheme == "dark" else "light"
    context = browser.new_context(viewport=WIDE, color_scheme=dark)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    return page


def _settle(page: Page) -> None:
    """Until what is shown has its picture, and the player's own signs over it are gone."""
    for video in page.locator("video").all():
        page.wait_for_function("video => video.currentTime > 0", arg=video.element_handle())
    page.wait_for_timeout(3500)


def _save(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
