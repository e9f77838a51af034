"""A real browser, and a studio for it to look at: scripted workers deliver real clips into a real bucket."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from local import browser as browsers
from local.runpod import Emulator, Options
from tests.studio import small_bucket
from tests.studio.small_studio import KEY, Studio, running, sqlite

#: Milliseconds for anything that the page does by itself.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)

#: Written down by every document before its scripts run: what its policy refused.
VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


# Not for the session: Playwright keeps an event loop running in this thread, where other tests run their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = browsers.find()
    assert found, browsers.MISSING
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(found.program), args=list(found.flags), env=dict(found.environment)
        )
        yield chromium
        chromium.close()


@dataclass
class Visitor:
    """Opens pages, and keeps what went wrong in them: nothing may."""

    browser: Browser
    studio: Studio
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, path: str = "", *, width: int = 1280, height: int = 860, **options: object) -> Page:
        """A page in a browser profile of its own, signed in as ada."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
        context.add_init_script(VIOLATIONS)
        return self.tab(context.new_page(), path or "/#token=token-of-ada")

    def tab(self, page: Page, path: str = "/") -> Page:
        """Watch a page, and go somewhere with it."""
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)
        page.goto(path if path.startswith("http") else f"{self.studio.url}{path}")
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self.expected):
            self.faults.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(Options(endpoint_id="an-endpoint", key=KEY)) as emulator:
        yield emulator


@pytest.fixture
def studio(runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path) -> Iterator[Studio]:
    with running(
        runpod, sqlite(tmp_path), links=small_bucket.links(s3_server), previews_per_minute=60
    ) as studio:
        yield studio


@pytest.fixture
def delivered(bucket: S3Client, tmp_path: Path) -> small_bucket.Deliveries:
    """What scripted workers deliver; `runpod.play(delivered.script())` lets one begin."""
    return small_bucket.Deliveries(bucket, tmp_path)


@pytest.fixture
def visitor(browser: Browser, studio: Studio) -> Iterator[Visitor]:
    visitor = Visitor(browser, studio)
    yield visitor
    for context in browser.contexts:
        context.close()
    assert visitor.faults == []


def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Wait for something that is no page's."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)
