"""For everybody: by keyboard alone, read aloud, on a phone, in the dark, without motion."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from local.runpod import Emulator, Script
from tests.page.conftest import Visitor, until
from tests.page.screen import AUDITED, kept_out, make_preview, tab_to, write
from tests.studio.small_bucket import Deliveries
from tests.studio.small_studio import JOB, Studio


def test_nothing_keeps_anybody_out_on_the_way_to_a_video(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    page = visitor.open(**AUDITED)
    expect(page.get_by_text("Describe a shot.")).to_be_visible()
    assert kept_out(page) == []
    for section in page.locator("summary").all():
        section.click()
    page.get_by_label("Control", exact=True).check()
    assert kept_out(page) == []
    studio.ask("order-001", JOB)
    expect(page.locator("ltx2-stage b")).to_be_visible()
    page.evaluate("localStorage.removeItem('ltx2-studio:draft')")
    page.reload()
    expect(page.locator("ltx2-stage b")).to_be_visible()
    assert kept_out(page) == []
    runpod.play(delivered.script())
    expect(page.locator("video")).to_be_visible()
    assert kept_out(page) == []


def test_nothing_keeps_anybody_out_of_a_failure_and_of_the_film(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    fails = {"code": "unsafe_source", "message": "The image cannot be read.", "retryable": True}
    whole = delivered.script()
    broken = Script(seconds=0.1, output={"error": fails} | fails, error="The image cannot be read.")
    runpod.play(lambda job: broken if job.submission.input.get("seed") == 13 else whole(job))
    made = [studio.ask(f"order-{seed:03}", JOB | {"seed": seed}).json()["id"] for seed in (1, 2, 13)]
    for generation in made:
        studio.wait_for(generation, "succeeded", "failed")
    page = visitor.open(**AUDITED)
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    assert kept_out(page) == []
    for card in page.locator("ltx2-gallery .card").all()[1:]:
        card.click()
        page.get_by_role("button", name="Add to film").click()
    page.get_by_label("Transition to clip 2", exact=True).select_option("Crossfade")
    tune = {"name": "tune.wav", "mimeType": "audio/wav", "buffer": b"RIFF"}
    page.get_by_label("Music: choose a file").set_input_files(tune)  # type: ignore[arg-type]
    expect(page.get_by_label("Beside the clips")).to_be_visible()
    assert kept_out(page) == []
    page.locator("#make-film").click()
    expect(page.locator("ltx2-film").get_by_role("status")).to_be_visible()  # that is no music
    assert kept_out(page) == []


def test_a_video_is_made_and_played_by_keyboard_alone(
    visitor: Visitor, runpod: Emulator, delivered: Deliveries
) -> None:
    runpod.play(delivered.script())
    page = visitor.open()
    expect(page.get_by_label("What is seen and heard")).to_be_visible()
    tab_to(page, page.get_by_label("What is seen and heard"))
    page.keyboard.type("A calm sea.")
    tab_to(page, page.get_by_role("radio", name="Fast"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Pro")).to_be_checked()
    expect(page.get_by_role("radio", name="Pro")).to_be_focused()
    tab_to(page, page.get_by_label("Camera", exact=True))
    page.keyboard.type("Jib up")
    tab_to(page, page.get_by_label("Start image: choose a file"))
    tab_to(page, page.locator("#preview"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looks right?")).to_be_visible()
    tab_to(page, page.locator("video"))
    tab_to(page, page.locator("#make-it"))
    page.keyboard.press("Enter")
    expect(page.locator("ltx2-gallery .card")).to_have_count(2)
    tab_to(page, page.locator("ltx2-gallery .card").last)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looks right?")).to_be_visible()
    until(lambda: len(runpod.jobs) == 2, "both are sent")
    made = [job.submission.input for job in runpod.jobs.values()]
    assert [(job["quality"], job["camera"]) for job in made] == [("pro", "jib_up")] * 2


def test_who_wants_no_motion_gets_none(visitor: Visitor, runpod: Emulator, delivered: Deliveries) -> None:
    runpod.play(delivered.script())
    page = visitor.open(reduced_motion="reduce")
    write(page, "A calm sea.")
    make_preview(page)
    expect(page.locator("video")).to_be_visible()
    page.wait_for_function("e => e.readyState >= 2", arg=page.locator("video").element_handle())
    assert page.locator("video").evaluate("video => video.paused")
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.fixture
def tray(visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries) -> Iterator[Page]:
    """A page with three clips in its film: a, b, c."""
    runpod.play(delivered.script())
    made = {}
    for name in "abc":
        made[studio.ask(f"order-{name * 3}", JOB | {"prompt": name}).json()["id"]] = name
    for generation in made:
        studio.wait_for(generation, "succeeded")
    page = visitor.open()
    for name in "abc":
        page.locator("ltx2-gallery .card", has_text=name).last.click()
        page.get_by_role("button", name="Add to film").click()
    page.evaluate("names => (window.names = names)", made)
    expect(page.get_by_role("list", name="Clips of the film").get_by_role("listitem")).to_have_count(3)
    yield page


def order(page: Page) -> str:
    """The clips in their order, as the tray shows them and as a reload would find them."""
    kept = "JSON.parse(localStorage.getItem('ltx2-studio:film')).clips.map((clip) => names[clip.generation])"
    seen = "document.querySelector('ltx2-studio').renderRoot.querySelector('ltx2-film').renderRoot"
    shown = f"[...{seen}.querySelectorAll('li ltx2-picture')].map((each) => names[each.generation.id])"
    assert page.evaluate(kept) == page.evaluate(shown)
    return "".join(page.evaluate(kept))


def test_clips_are_moved_and_taken_away_by_keyboard(tray: Page) -> None:
    tab_to(tray, tray.get_by_role("button", name="Move clip 1 later"), most=80)
    tray.keyboard.press("Enter")
    expect(tray.get_by_role("button", name="Move clip 2 later")).to_be_focused()
    assert order(tray) == "bac"
    tray.keyboard.press("Enter")
    expect(tray.get_by_role("button", name="Move clip 3 later")).to_be_focused()
    assert order(tray) == "bca"
    tray.keyboard.press("Enter")  # it is the last one
    assert order(tray) == "bca"
    tray.keyboard.press("Shift+Tab")
    tray.keyboard.press("Shift+Tab")
    tray.keyboard.press("Space")
    expect(tray.get_by_role("button", name="Move clip 2 earlier")).to_be_focused()
    assert order(tray) == "bac"
    tray.keyboard.press("Tab")
    tray.keyboard.press("Enter")
    expect(tray.get_by_role("button", name="Remove clip 2")).to_be_focused()
    assert order(tray) == "bc"
    tray.keyboard.press("Enter")
    expect(tray.get_by_role("button", name="Remove clip 1")).to_be_focused()
    tray.keyboard.press("Enter")
    expect(tray.locator("ltx2-film ol")).to_have_count(0)


def test_clips_are_moved_by_pointer_and_nothing_else_is_taken_for_one(tray: Page) -> None:
    clips = tray.get_by_role("list", name="Clips of the film").get_by_role("listitem")
    clips.first.locator(".frame").drag_to(clips.last.locator(".frame"))
    assert order(tray) == "bca"
    clips.last.locator(".frame").drag_to(clips.first.locator(".frame"))
    assert order(tray) == "abc"
    # A text, or a file, that is dropped there is no clip.
    clips.last.evaluate(
        """clip => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/plain", "0");
          for (const kind of ["dragover", "drop"]) {
            clip.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }"""
    )
    assert order(tray) == "abc"
