"""Other pages take the element in: a bare one and a React one, of another origin, with looks of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client
from playwright.sync_api import Browser, Page, expect

from local.runpod import Emulator
from tests.page.conftest import Visitor
from tests.page.screen import make_preview, write
from tests.studio import small_bucket
from tests.studio.small_studio import running, sqlite

HOST = "http://mivo.test"
VENDOR = Path(__file__).with_name("vendor")
HEAD = """<!doctype html><html lang="en"><title>Mivo</title><style>
h1 {{ color: rgb(1, 2, 3); font: 30px serif; }} button {{ background: rgb(9, 9, 9); }}
ltx2-studio {{ --ltx2-accent: rgb(0, 90, 200); --ltx2-radius: 2px; }}
</style><h1>Mivo</h1><button>Theirs</button>
<script type="module" src="{studio}/studio/ltx2-studio.js"></script>"""
BARE = '<ltx2-studio api="{studio}" token="token-of-ada"></ltx2-studio>'
LISTEN = """window.heard = []; for (const name of ["submitted", "done"])
  addEventListener(`ltx2:${name}`, (event) => heard.push([name, event.detail.state]));"""
REACT = """<div id="root"></div><script type="module">
import { createElement, createRoot, useState } from "/react.js";
const Host = () => {
  const [count, setCount] = useState(0);
  return createElement("section", null,
    createElement("button", { onClick: () => setCount(count + 1) }, `Drawn ${count}`),
    createElement("ltx2-studio", {
      api: "{studio}", token: "token-of-ada", "onltx2:done": () => setCount((n) => n + 10) }));
};
createRoot(document.getElementById("root")).render(createElement(Host));
</script>"""


@pytest.fixture
def host(
    browser: Browser, runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path
) -> Iterator[Visitor]:
    """A visitor of pages on another origin than the backend's."""
    links = small_bucket.links(s3_server)
    with running(runpod, sqlite(tmp_path), links=links, origins=(HOST,)) as studio:
        visitor = Visitor(browser, studio)
        yield visitor
        for context in browser.contexts:
            context.close()
        assert visitor.faults == []


def _page(host: Visitor, body: str) -> Page:
    context = host.browser.new_context(viewport={"width": 1280, "height": 900})
    url = host.studio.url
    html = HEAD.format(studio=url) + f"<script>{LISTEN}</script>" + body.replace("{studio}", url)
    context.route(f"{HOST}/", lambda request: request.fulfill(body=html, content_type="text/html"))
    react = (VENDOR / "react.js").read_text()
    context.route(
        f"{HOST}/react.js", lambda request: request.fulfill(body=react, content_type="text/javascript")
    )
    context.route(f"{HOST}/favicon.ico", lambda request: request.fulfill(status=204))
    return host.tab(context.new_page(), f"{HOST}/")


def test_a_bare_page_takes_it_in_with_its_own_colours_and_keeps_its_looks(
    host: Visitor, runpod: Emulator, delivered: small_bucket.Deliveries
) -> None:
    runpod.play(delivered.script())
    page = _page(host, BARE)
    write(page, "A calm sea.")
    make_preview(page)
    expect(page.get_by_text("Looks right?")).to_be_visible()
    assert page.evaluate("heard") == [["submitted", "held"], ["done", "succeeded"]]
    looks = "e => (({ color, backgroundColor, fontFamily }) => [color, backgroundColor, fontFamily])"
    looks += "(getComputedStyle(e))"
    title, theirs = page.get_by_role("heading", name="Mivo"), page.get_by_role("button", name="Theirs")
    assert title.evaluate(looks)[0] == "rgb(1, 2, 3)"
    assert title.evaluate(looks)[2] == "serif"
    assert theirs.evaluate(looks)[1] == "rgb(9, 9, 9)"
    assert page.locator("#generate").evaluate(looks)[1] == "rgb(0, 90, 200)"
    assert page.locator("#generate").evaluate("e => getComputedStyle(e).borderRadius") == "1.24px"
    assert page.title() == "Mivo"


def test_a_react_page_takes_it_in_and_hears_its_events(
    host: Visitor, runpod: Emulator, delivered: small_bucket.Deliveries
) -> None:
    runpod.play(delivered.script())
    page = _page(host, REACT)
    write(page, "A calm sea.")
    page.get_by_role("button", name="Drawn 0").click()
    expect(page.get_by_label("What is seen and heard")).to_have_value("A calm sea.")
    make_preview(page)
    expect(page.get_by_text("Looks right?")).to_be_visible()
    expect(page.get_by_role("button", name="Drawn 11")).to_be_visible()
