"""For everybody: by keyboard alone, read aloud, on a phone, in the dark, without motion."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.runpod import Emulator
from tests.page.conftest import Visitor, until
from tests.page.screen import make_preview, write
from tests.studio.small_bucket import Deliveries
from tests.studio.small_studio import JOB, Studio

PHONE = {"width": 360, "height": 740}


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['help']} {[node['html'][:160] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


def too_wide(page: Page) -> list[str]:
    """Parts that reach out of the window, in all shadow trees."""
    found: list[str] = page.evaluate(
        """() => {
          const out = [];
          const look = (root) => root.querySelectorAll("*").forEach((part) => {
            if (part.shadowRoot) look(part.shadowRoot);
            const box = part.getBoundingClientRect();
            const seen = part.checkVisibility() && box.width > 1 && !part.closest(".unseen, ol, select, svg");
            if (seen && (box.right > innerWidth + 1 || box.left < -1)) out.push(part.outerHTML.slice(0, 90));
          });
          look(document);
          return document.documentElement.scrollWidth > innerWidth ? [`scrolls`, ...out] : out;
        }"""
    )
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_keeps_anybody_out_and_all_fits_a_phone(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries, scheme: str
) -> None:
    page = visitor.open(color_scheme=scheme, bypass_csp=True)  # axe is a script of ours, in a strict page
    expect(page.get_by_text("Describe a shot.")).to_be_visible()
    assert serious(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert too_wide(page) == []
    for section in page.locator("summary").all():
        section.click()
    page.get_by_label("Control", exact=True).check()
    assert serious(page) == []
    assert too_wide(page) == []
    studio.ask("order-001", JOB)
    expect(page.locator("ltx2-stage b")).to_be_visible()
    assert serious(page) == []
    runpod.play(delivered.script())
    page.evaluate("localStorage.removeItem('ltx2-studio:draft')")
    page.reload()
    expect(page.locator("video")).to_be_visible()
    assert serious(page) == []
    assert too_wide(page) == []
    page.set_viewport_size({"width": 1280, "height": 860})
    assert serious(page) == []


def test_a_video_is_made_and_played_by_keyboard_alone(
    visitor: Visitor, runpod: Emulator, delivered: Deliveries
) -> None:
    runpod.play(delivered.script())
    page = visitor.open()
    expect(page.get_by_label("What is seen and heard")).to_be_visible()
    _tab_to(page, page.get_by_label("What is seen and heard"))
    page.keyboard.type("A calm sea.")
    _tab_to(page, page.get_by_role("radio", name="Fast"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Pro")).to_be_checked()
    expect(page.get_by_role("radio", name="Pro")).to_be_focused()
    _tab_to(page, page.get_by_label("Camera", exact=True))
    page.keyboard.type("Jib up")
    _tab_to(page, page.get_by_label("Start image: choose a file"))
    _tab_to(page, page.locator("#preview"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looks right?")).to_be_visible()
    _tab_to(page, page.locator("video"))
    _tab_to(page, page.locator("#make-it"))
    page.keyboard.press("Enter")
    expect(page.locator("ltx2-gallery .card")).to_have_count(2)
    _tab_to(page, page.locator("ltx2-gallery .card").last)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looks right?")).to_be_visible()
    until(lambda: len(runpod.jobs) == 2, "both are sent")
    made = [job.submission.input for job in runpod.jobs.values()]
    assert [(job["quality"], job["camera"]) for job in made] == [("pro", "jib_up")] * 2


def _tab_to(page: Page, locator: object, most: int = 40) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if locator.evaluate("part => part.getRootNode().activeElement === part"):  # type: ignore[attr-defined]
            return
    raise AssertionError("not reached with Tab")


def test_who_wants_no_motion_gets_none(visitor: Visitor, runpod: Emulator, delivered: Deliveries) -> None:
    runpod.play(delivered.script())
    page = visitor.open(reduced_motion="reduce")
    write(page, "A calm sea.")
    make_preview(page)
    expect(page.locator("video")).to_be_visible()
    page.wait_for_function("e => e.readyState >= 2", arg=page.locator("video").element_handle())
    assert page.locator("video").evaluate("video => video.paused")
    assert page.evaluate("document.getAnimations().length") == 0
