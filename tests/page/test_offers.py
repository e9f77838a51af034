"""The form of an endpoint that offers everything that the contract has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client
from playwright.sync_api import expect

from local.runpod import Emulator
from tests.page.conftest import Visitor, until
from tests.page.screen import AUDITED, kept_out, write
from tests.studio import small_bucket
from tests.studio.small_studio import Studio, running, sqlite


@pytest.fixture
def studio(runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path) -> Iterator[Studio]:
    links = small_bucket.links(s3_server)
    with running(runpod, sqlite(tmp_path), links=links, offer=("all",)) as studio:
        yield studio


def test_nothing_keeps_anybody_out_of_the_forms_of_the_ways(visitor: Visitor) -> None:
    page = visitor.open(**AUDITED)
    expect(page.locator("#generate")).to_be_visible()  # the form is drawn
    for section in page.locator("summary").all():
        section.click()
    page.get_by_role("button", name="Add one to Keyframes").click()
    page.get_by_role("group", name="Keyframes 1").get_by_role("button", name="or use a link").click()
    assert kept_out(page) == []
    page.get_by_role("button", name="Remove 1 of Keyframes").press("Enter")
    expect(page.get_by_role("button", name="Add one to Keyframes")).to_be_focused()
    page.get_by_role("switch", name="Retake").check()
    assert kept_out(page) == []


def test_what_cannot_apply_is_not_shown_and_not_sent(visitor: Visitor, runpod: Emulator) -> None:
    page = visitor.open(height=1600)
    write(page, "A calm sea.")
    for section in page.locator("summary").all()[1:]:
        section.click()
    steps, strength = page.get_by_label("Steps"), page.get_by_label("Camera strength")
    expect(steps).to_have_count(0)
    page.get_by_role("radio", name="Pro").check()
    steps.fill("25")
    steps.blur()
    page.get_by_role("radio", name="Fast").check()
    expect(steps).to_have_count(0)
    page.get_by_label("Camera", exact=True).select_option("Dolly in")
    expect(strength).to_be_visible()
    page.get_by_label("Camera", exact=True).select_option("None")
    expect(strength).to_have_count(0)
    page.get_by_role("switch", name="Control").check()
    expect(page.get_by_label("It shows edges, depth or pose already")).to_have_count(0)  # there is no video
    expect(page.get_by_text("control works with a start image")).not_to_have_count(0)  # still to be chosen
    page.get_by_role("switch", name="Control").uncheck()
    length = page.get_by_label("Length")
    expect(length).to_be_visible()
    page.get_by_role("switch", name="Extend").check()
    for gone in (
        length,
        page.get_by_role("switch", name="Retake"),
        page.get_by_role("switch", name="Detailer"),
    ):
        expect(gone).to_have_count(0)
    page.get_by_role("switch", name="Extend").uncheck()
    expect(length).to_be_visible()
    page.locator("#generate").click()
    until(lambda: runpod.jobs, "the order is sent")
    (job,) = runpod.jobs.values()
    assert {"steps", "camera_strength", "control", "extend"}.isdisjoint(job.submission.input)


def test_every_way_that_is_offered_can_be_asked_for(
    visitor: Visitor, runpod: Emulator, delivered: small_bucket.Deliveries
) -> None:
    page = visitor.open(height=1600)
    write(page, "A calm sea.")
    page.get_by_label("Shape").select_option("9:16")
    page.get_by_label("Length").fill("7")
    page.get_by_label("Length").blur()
    expect(page.locator("#generate")).to_contain_text("credits")
    for section in page.locator("summary").all()[1:]:
        section.click()
    page.get_by_role("group", name="What to make").get_by_role("button", name="Add one").first.click()
    page.get_by_label("At", exact=True).fill("2")
    page.get_by_label("At", exact=True).blur()
    frame = {"name": "frame.jpg", "mimeType": "image/jpeg", "buffer": delivered.poster}
    key = page.get_by_role("group", name="Keyframes 1")
    key.get_by_label("Image: choose a file", exact=True).set_input_files(frame)  # type: ignore[arg-type]
    expect(key.get_by_text("frame.jpg ·")).to_be_visible()
    page.locator("#generate").click()
    until(lambda: runpod.jobs, "the order is sent")
    (job,) = runpod.jobs.values()
    sent = job.submission.input
    assert (sent["aspect"], sent["duration"], sent["keyframes"][0]["at"]) == ("9:16", 7, 2)
    assert sent["keyframes"][0]["image_url"].startswith("s3://")


def test_on_a_phone_and_by_keyboard_a_fault_stands_at_its_field_and_again_keeps_every_field(
    visitor: Visitor, runpod: Emulator, delivered: small_bucket.Deliveries
) -> None:
    runpod.play(delivered.script(changed=(1.0, 2.5), prompt_used="A smile, written out."))
    page = visitor.open(width=390, height=844, has_touch=True, is_mobile=True)
    write(page, "She smiles.")
    for section in page.locator("summary").all()[1:]:
        section.click()
    form = page.get_by_role("group", name="What to make")
    form.get_by_role("switch", name="Retake").focus()
    page.keyboard.press("Space")
    video = {"name": "scene.mp4", "mimeType": "video/mp4", "buffer": delivered.clip.read_bytes()}
    form.get_by_label("Video: choose a file").first.set_input_files(video)  # type: ignore[arg-type]
    for name, second in (("From", "1.5"), ("To", "1")):
        field = form.get_by_label(name, exact=True)
        assert field.get_attribute("inputmode") == "decimal"
        field.focus()
        page.keyboard.type(second)
        # What else happens meanwhile takes nothing away that is being typed.
        page.get_by_label("What is seen and heard").evaluate(
            "(area) => { area.value += ' And waits.'; area.dispatchEvent(new Event('input')); }"
        )
        expect(field).to_have_value(second)
        page.keyboard.press("Tab")
    for name in ("ink", "Oil"):
        form.get_by_role("button", name="Add one to Loras").click()
        form.get_by_label("Name", exact=True).last.fill(name)
        form.get_by_label("Name", exact=True).last.blur()
    form.get_by_text("scene.mp4 ·").wait_for()
    page.locator("#generate").click()
    fault = form.get_by_text("loras.1.name must be a name of small letters")
    expect(form.get_by_role("group", name="Loras 2")).to_contain_text("loras.1.name must be")
    expect(fault).to_have_count(1)
    expect(form.get_by_text("retake.to must be after retake.from.")).to_have_count(1)
    form.get_by_label("Name", exact=True).last.fill("oil")
    form.get_by_label("To", exact=True).fill("2.5")
    form.get_by_label("To", exact=True).blur()
    expect(fault).to_have_count(0)
    page.locator("#generate").click()
    expect(page.get_by_text("new from 1.0 to 2.5 s")).to_be_visible()
    expect(page.get_by_text("Written out: A smile, written out.")).to_be_visible()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.locator("#generate").click()
    until(lambda: len(runpod.jobs) == 2, "the second order is sent")
    first, second = (job.submission.input for job in runpod.jobs.values())
    assert (first["retake"]["from"], first["retake"]["to"]) == (1.5, 2.5)
    assert first["loras"] == [{"name": "ink"}, {"name": "oil"}]
    assert (second["retake"], second["loras"]) == (first["retake"], first["loras"])
