"""The video as it emerges: shown in the stage where the endpoint sends pictures, missed nowhere else."""

import re

from playwright.sync_api import Page, expect

from local.runpod import Emulator, Job, Script, sampling
from ltx2_studio.pictures import name_of
from tests.page.conftest import Visitor
from tests.page.screen import make_preview, write
from tests.studio.test_emerging_pictures import jpeg

FIRST, SECOND = jpeg("teal"), jpeg("red")


def shows(job: Job) -> Script:
    """A worker that shows one picture, a little later another one, and then goes on for an hour."""
    (_, first), *_ = sampling(1.0, 3, [FIRST])
    (_, second), *_ = sampling(1.0, 2, [SECOND])
    return Script(seconds=3600.0, progress=((0.1, first), (4.0, second)))


def places(page: Page) -> list[object]:
    """Where the stage stands, and what is below it."""
    parts = ("ltx2-stage .screen", "ltx2-stage .about", "ltx2-gallery")
    return [page.locator(part).bounding_box() for part in parts]


def test_the_emerging_video_is_seen_in_its_place_and_moves_nothing(
    visitor: Visitor, runpod: Emulator
) -> None:
    page = visitor.open(reduced_motion="reduce")
    write(page, "A calm sea.")
    make_preview(page)
    expect(page.locator("ltx2-stage b")).to_have_text("In the queue")
    before = places(page)
    runpod.play(shows)
    seen = page.get_by_alt_text("The video so far")
    expect(seen).to_have_attribute("src", re.compile(name_of(FIRST)))
    page.wait_for_function("img => img.complete && img.naturalWidth === 20", arg=seen.element_handle())
    assert places(page) == before
    assert page.evaluate("document.getAnimations().length") == 0
    same = seen.element_handle()
    expect(seen).to_have_attribute("src", re.compile(name_of(SECOND)))
    assert page.evaluate("([a, b]) => a === b", [same, seen.element_handle()])  # nothing flickers in between
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("You cancelled it.")).to_be_visible()
    expect(seen).to_have_count(0)
