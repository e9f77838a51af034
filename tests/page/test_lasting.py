"""The server owns the work: reloads, second tabs, lost connections and lost replies change nothing."""

import json

from playwright.sync_api import Route as Request
from playwright.sync_api import expect

from local.runpod import Emulator, Route
from tests.page.conftest import Visitor, until
from tests.page.screen import write
from tests.studio.small_bucket import Deliveries
from tests.studio.small_studio import JOB, Studio


def test_a_reload_and_a_second_tab_show_the_same_and_send_nothing(
    visitor: Visitor, runpod: Emulator, delivered: Deliveries
) -> None:
    page = visitor.open()
    write(page, "A calm sea.")
    page.locator("#generate").click()
    until(lambda: runpod.jobs, "the order is sent")
    (job,) = runpod.jobs.values()
    runpod.post(
        job, {"status": "IN_PROGRESS", "output": {"percent": 58, "stage": "sampling", "seconds_left": 31}}
    )
    page.reload()
    other = visitor.tab(page.context.new_page())
    for tab in (page, other):
        expect(tab.get_by_label("What is seen and heard")).to_have_value("A calm sea.")
        expect(tab.locator("ltx2-stage b")).to_be_visible()
    runpod.play(delivered.script())
    for tab in (page, other):
        tab.bring_to_front()
        expect(tab.locator("video")).to_be_visible(timeout=15_000)
    assert len(runpod.seen(Route.RUN)) == 1


def test_an_order_whose_answer_was_lost_is_the_same_order_after_a_reload(
    visitor: Visitor, studio: Studio, runpod: Emulator
) -> None:
    visitor.expected.append("net::ERR_FAILED")
    page = visitor.open()
    write(page, "A calm sea.")

    def lose(request: Request) -> None:
        if request.request.method == "POST":
            request.fetch()  # it arrives, and nobody hears the answer
            request.abort()
        else:
            request.continue_()

    page.route("**/api/generations", lose)
    page.locator("#generate").click()
    expect(page.get_by_text("Sending…")).to_be_visible()
    expect(page.get_by_text("The connection is lost.")).to_be_visible()
    assert studio.rows() == 1
    page.unroute("**/api/generations")
    page.reload()
    expect(page.locator("ltx2-stage b")).to_have_text("In the queue")
    expect(page.locator("#generate")).to_contain_text("Generate")
    assert (studio.rows(), studio.entries("hold")) == (1, 1)


def test_a_page_without_a_connection_says_so_and_catches_up(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    visitor.expected += ["net::ERR_", "Failed to load resource"]
    made = studio.ask("order-001", JOB).json()["id"]
    page = visitor.open()
    expect(page.locator("ltx2-stage b")).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("document.querySelector('ltx2-studio').session.live.stop()")
    page.evaluate("document.querySelector('ltx2-studio').session.live.start()")
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=15_000)
    runpod.play(delivered.script())
    studio.wait_for(made, "succeeded")
    page.context.set_offline(False)
    expect(page.locator("video")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("The connection is lost.")).to_have_count(0)


def test_a_refused_token_is_asked_for_again(visitor: Visitor) -> None:
    visitor.expected.append("401")
    page = visitor.open("/#token=of-nobody")
    expect(page.get_by_text("This token is not known here.")).to_be_visible()
    page.get_by_label("Token").fill("token-of-ada")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Describe a shot. Hear it, too.")).to_be_visible()
    assert page.url.endswith("/")


def test_a_prompt_full_of_html_is_text(
    visitor: Visitor, studio: Studio, runpod: Emulator, delivered: Deliveries
) -> None:
    evil = '<img src=x onerror="window.hit=1"><script>window.hit=1</script><b>bold</b>'
    runpod.play(delivered.script())
    made = studio.ask("order-001", {"prompt": evil}).json()["id"]
    studio.wait_for(made, "succeeded")
    page = visitor.open()
    expect(page.locator("ltx2-stage .prompt")).to_have_text(evil)
    expect(page.locator("ltx2-gallery .text")).to_have_text(evil)
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_label("What is seen and heard")).to_have_value(evil)
    assert page.evaluate("window.hit") is None


def test_what_the_contract_adds_appears_in_the_form(
    visitor: Visitor, runpod: Emulator, studio: Studio
) -> None:
    """A camera, a size, a family, a switch, a group with a file, a list: no line of the page names them."""

    def more(request: Request) -> None:
        (model,) = request.fetch().json()
        fields = model["input_schema"]["properties"]
        fields["camera"]["anyOf"][0]["enum"].append("orbit_left")
        fields["resolution"]["enum"].append("1440p") if "enum" in fields["resolution"] else fields[
            "resolution"
        ]["anyOf"][0]["enum"].append("1440p")
        fields["model"] = {"enum": ["ltx-2", "ltx-9"], "type": "string", "default": "ltx-2"}
        fields["film_grain"] = {"type": "boolean", "default": False, "description": "Grain over it all."}
        fields["redo"] = {"anyOf": [{"$ref": "#/$defs/Redo"}, {"type": "null"}], "default": None}
        fields["moments"] = {
            "type": "array",
            "items": {"$ref": "#/$defs/Key"},
            "maxItems": 2,
            "default": None,
        }
        files = {"type": "string"}
        model["input_schema"]["$defs"] |= {
            "Redo": {
                "type": "object",
                "properties": {
                    "video_url": files,
                    "video_base64": files,
                    "what": {"enum": ["both", "video", "audio", "neither"], "type": "string"},
                    "from": {"type": "number", "minimum": 0, "maximum": 20, "default": 0},
                },
                "required": ["what"],
            },
            "Key": {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"]},
        }
        request.fulfill(json=[model])

    asked = []

    def price(request: Request) -> None:
        asked.append(json.loads(request.request.post_data or "{}")["input"])
        request.fulfill(json={"credits": 77, "available": 1000, "enough": True, "warnings": [], "faults": []})

    page = visitor.browser.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    page.route("**/api/generations/models", more)
    page.route("**/api/generations/quote", price)
    visitor.tab(page, "/#token=token-of-ada")
    write(page, "A calm sea.")
    page.get_by_label("Model").select_option("LTX-9")
    page.get_by_label("Camera", exact=True).select_option("Orbit left")
    page.get_by_role("radio", name="1440p").check()
    page.get_by_text("More").click()
    page.get_by_label("Film grain").check()
    page.get_by_label("Redo").check()
    page.get_by_label("What", exact=True).select_option("Audio")
    page.get_by_role("button", name="Add one").click()
    page.get_by_label("At", exact=True).fill("3")
    page.get_by_label("At", exact=True).blur()
    wanted = {
        "prompt": "A calm sea.",
        "model": "ltx-9",
        "camera": "orbit_left",
        "resolution": "1440p",
        "film_grain": True,
        "redo": {"what": "audio"},
        "moments": [{"at": 3}],
    }
    until(lambda: page.evaluate("1") and asked[-1] == wanted, "everything is sent")
    expect(page.locator("#generate")).to_contain_text("77 credits")
