"""A person at the page: writes, looks at the price, makes a preview, makes the video, uses it again."""

import re

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import Route as Request

from local.runpod import Emulator, Job, Route, Script
from ltx2_api.prices import CREDITS
from tests.page.conftest import Visitor, until
from tests.page.screen import make_preview, write
from tests.studio.small_bucket import Deliveries
from tests.studio.small_studio import JOB, Studio


def test_a_preview_is_seen_and_made_at_full_length_with_its_prompt_and_seed(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    runpod.play(delivered.script())
    page = visitor.open()
    page.evaluate("addEventListener('ltx2:done', (event) => (window.heard = event.detail.id))")
    write(page, "A grey cat sits on a sill.")
    make_preview(page)
    expect(page.get_by_text("Looks right?")).to_be_visible()
    page.wait_for_function("() => window.heard")
    playing = "e => e.currentTime > 0.2 && e.videoWidth === 448 && e.muted"
    page.wait_for_function(playing, arg=page.locator("video").element_handle())
    page.get_by_role("button", name="Make 10 s · 30 credits").click()
    until(lambda: len(runpod.jobs) == 2, "the second order is sent")
    expect(page.get_by_text("30 credits", exact=True)).to_be_visible()  # charged: the video is there
    first, second = (job.submission.input for job in runpod.jobs.values())
    assert (first["preview"], second.get("preview")) == (True, None)
    assert first["seed"] == second["seed"]
    assert studio.balance().available == 970
    expect(page.get_by_text("970", exact=True)).to_be_visible()


def test_the_price_on_the_button_is_the_price_of_the_list(visitor: Visitor) -> None:
    page = visitor.open()
    button = page.locator("#generate")
    for duration, prices in CREDITS.items():
        page.get_by_role("radio", name=f"{duration} s").check()
        for (quality, resolution), price in prices.items():
            page.get_by_role("radio", name=quality.capitalize()).check()
            page.get_by_role("radio", name=resolution).check()
            expect(button).to_have_text(re.compile(rf"Generate\s*{price} credits"))


def test_what_is_missing_is_said_at_its_field_and_nothing_is_sent(visitor: Visitor, runpod: Emulator) -> None:
    page = visitor.open()
    page.locator("#generate").click()
    prompt = page.get_by_label("What is seen and heard")
    expect(prompt).to_be_focused()
    expect(page.get_by_role("alert")).to_have_text("Say what is seen and heard first.")
    write(page, "A calm sea.")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("radio", name="Pro").check()
    page.get_by_text("Finish").click()
    page.get_by_label("Steps").fill("99")
    page.get_by_label("Steps").blur()
    expect(page.get_by_text("steps must be 20 to 40.")).to_have_count(2)  # field and button
    page.locator("#generate").click()
    expect(page.get_by_label("Steps")).to_be_focused()
    assert not runpod.seen(Route.RUN)


def test_too_few_credits_are_said_before_anything_is_sent(
    visitor: Visitor, studio: Studio, runpod: Emulator
) -> None:
    for number in range(8):
        dear = {"quality": "pro", "resolution": "1080p", "duration": 20, "seed": number}
        studio.ask(f"order-{number:03}", JOB | dear)
    page = visitor.open()
    page.evaluate("addEventListener('ltx2:need-credits', (event) => (window.needs = event.detail))")
    write(page, "A calm sea.")
    page.get_by_role("radio", name="Pro").check()
    expect(page.get_by_text("45 needed, 40 left.")).to_be_visible()
    page.locator("#generate").click()
    page.wait_for_function("() => window.needs")
    assert page.evaluate("window.needs") == {"credits": 45, "available": 40, "missing": 5}
    assert studio.rows() == 8


def test_a_failure_says_why_and_that_nothing_was_charged(
    visitor: Visitor, studio: Studio, runpod: Emulator
) -> None:
    def fails(job: Job) -> Script:
        said = {"code": "unsafe_source", "message": "The image cannot be read.", "retryable": False}
        return Script(seconds=0.2, output={"error": said} | said, error="The image cannot be read.")

    runpod.play(fails)
    page = visitor.open()
    write(page, "A calm sea.")
    page.locator("#generate").click()
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    page.get_by_role("button", name="Edit and try again").click()
    expect(page.get_by_label("What is seen and heard")).to_have_value("A calm sea.")
    assert studio.balance().available == 1000


def test_a_video_that_waits_is_cancelled_and_ordered_again(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    page = visitor.open()
    write(page, "A calm sea.")
    page.locator("#generate").click()
    expect(page.locator("ltx2-stage b")).to_have_text("In the queue")
    expect(page.get_by_text("(30 held)")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("You cancelled it.")).to_be_visible()
    expect(page.get_by_text("(30 held)")).to_have_count(0)
    runpod.play(delivered.script())
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator("video")).to_be_visible()


def test_the_gallery_is_filtered_searched_and_used_again(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    runpod.play(delivered.script())
    for number, prompt in enumerate(["A calm sea.", "A storm over the hills."]):
        made = studio.ask(f"order-{number:03}", {"prompt": prompt, "quality": "pro", "seed": 5}).json()["id"]
        studio.wait_for(made, "succeeded")
    page = visitor.open()
    cards = page.locator("ltx2-gallery .card")
    expect(cards).to_have_count(2)
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_text("Nothing here.")).to_be_visible()
    page.get_by_role("button", name="Done", exact=True).click()
    page.get_by_label("Search prompts").fill("STORM")
    expect(cards).to_have_count(1)
    cards.click()
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_label("What is seen and heard")).to_have_value("A storm over the hills.")
    expect(page.get_by_role("radio", name="Pro")).to_be_checked()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "a-storm-over-the-hills.mp4"
    page.get_by_role("button", name="Last frame as start").click()
    expect(page.locator("ltx2-file-field img")).to_be_visible()
    page.locator("#generate").click()
    until(lambda: len(runpod.jobs) == 3, "the next one is sent")
    assert list(runpod.jobs.values())[-1].submission.input["image_url"].startswith("s3://")
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_label("Search prompts").fill("")
    cards.last.click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(cards).to_have_count(2)


@pytest.mark.parametrize("way", ["chosen", "dropped"])
def test_an_image_is_uploaded_and_is_where_the_video_starts(
    visitor: Visitor, runpod: Emulator, delivered: Deliveries, way: str
) -> None:
    page = visitor.open()
    write(page, "It goes on.")
    _give(page, delivered.poster, way)
    expect(page.get_by_text(re.compile(r"start\.jpg · \d+ kB"))).to_be_visible()
    expect(page.get_by_label("Hold on to it")).to_be_visible()
    page.locator("#generate").click()
    until(lambda: runpod.jobs, "the order is sent")
    (job,) = runpod.jobs.values()
    assert re.fullmatch(r"s3://videos/uploads/ada/[0-9a-f-]+\.jpg", job.submission.input["image_url"])
    page.get_by_role("button", name="Remove the start image").click()
    expect(page.get_by_label("Hold on to it")).to_have_count(0)


def test_an_order_waits_for_a_file_that_is_on_its_way(
    visitor: Visitor, runpod: Emulator, delivered: Deliveries
) -> None:
    page = visitor.open()
    write(page, "It goes on.")
    on_its_way: list[Request] = []

    def hold(request: Request) -> None:
        on_its_way.append(request)

    page.route("**/uploads/ada/**", hold)
    _give(page, delivered.poster, "chosen")
    expect(page.get_by_text("A file is still on its way.")).to_be_visible()
    page.locator("#generate").click(force=True)  # it says that it is disabled
    until(lambda: page.evaluate("1") and on_its_way, "the upload has begun")
    on_its_way[0].continue_()
    expect(page.get_by_text(re.compile(r"start\.jpg · \d+ kB"))).to_be_visible()
    assert not runpod.jobs
    page.locator("#generate").click()
    until(lambda: runpod.jobs, "the order is sent")
    (job,) = runpod.jobs.values()
    assert "image_url" in job.submission.input


def _give(page: Page, picture: bytes, way: str) -> None:
    if way == "chosen":
        file = {"name": "start.jpg", "mimeType": "image/jpeg", "buffer": picture}
        page.get_by_label("Start image: choose a file").set_input_files(file)  # type: ignore[arg-type]
        return
    page.locator("ltx2-file-field .zone").evaluate(
        """(zone, bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "start.jpg", { type: "image/jpeg" }));
          zone.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(picture),
    )
