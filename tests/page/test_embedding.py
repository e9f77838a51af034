"""Other pages take the element in: a bare one and a React one, of another origin, with looks of their own."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from local.runpod import Emulator
from tests.page.conftest import Visitor
from tests.page.screen import make_preview, write
from tests.studio import small_bucket
from tests.studio.small_studio import running, sqlite

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


class _Pages(BaseHTTPRequestHandler):
    """Serves the host's page, and React."""

    html = ""

    def do_GET(self) -> None:
        content = (VENDOR / "react.js").read_text() if self.path == "/react.js" else self.html
        self.send_response(204 if self.path == "/favicon.ico" else 200)
        self.send_header("Content-Type", "text/javascript" if self.path == "/react.js" else "text/html")
        self.end_headers()
        self.wfile.write(content.encode() if self.path != "/favicon.ico" else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[str]:
    """Another origin than the backend's: the same host, another port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(
    browser: Browser, runpod: Emulator, delivered: small_bucket.Deliveries, tmp_path: Path, origin: str
) -> Iterator[Visitor]:
    """A visitor of pages on another origin than the backend's."""
    links = small_bucket.links(delivered.s3.meta.endpoint_url)
    with running(runpod, sqlite(tmp_path), links=links, origins=(origin,)) as studio:
        visitor = Visitor(browser, studio)
        yield visitor
        for context in browser.contexts:
            context.close()
        assert visitor.faults == []


def _page(host: Visitor, body: str) -> Page:
    url = host.studio.url
    _Pages.html = HEAD.format(studio=url) + f"<script>{LISTEN}</script>" + body.replace("{studio}", url)
    page = host.browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    (origin,) = host.studio.backend.settings.origins
    return host.tab(page, f"{origin}/")


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
