"""What tests do at the page again and again."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page


def write(page: Page, prompt: str) -> None:
    page.get_by_label("What is seen and heard").fill(prompt)


def make_preview(page: Page) -> None:
    page.get_by_role("button", name="Preview 1 s").click()


#: What the page of an audit is opened with: axe is a script of ours in a strict page, and judges no motion.
AUDITED: dict[str, Any] = {"color_scheme": "dark", "bypass_csp": True, "reduced_motion": "reduce"}
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}


def kept_out(page: Page) -> list[str]:
    """What keeps somebody out of what is shown now: in the dark and on a phone, in the light and wide."""
    found = []
    for size, scheme, only in ((PHONE, "dark", None), (WIDE, "light", "color-contrast")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{size['width']}: {part}" for part in too_wide(page)]
        found += _serious(page, only)  # nothing but the colours differs the second time
    return found


def _serious(page: Page, only: str | None = None) -> list[str]:
    """What axe finds."""
    rules = {"runOnly": [only]} if only else {}
    found = Axe().run(page, options={"resultTypes": ["violations"]} | rules).response["violations"]
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
            if (part.shadowRoot && !part.closest("ol")) look(part.shadowRoot);
            const box = part.getBoundingClientRect();
            const seen = part.checkVisibility() && box.width > 1 && !part.closest(".unseen, ol, select, svg");
            if (seen && (box.right > innerWidth + 1 || box.left < -1)) out.push(part.outerHTML.slice(0, 90));
          });
          look(document);
          return document.documentElement.scrollWidth > innerWidth ? [`scrolls`, ...out] : out;
        }"""
    )
    return found


def tab_to(page: Page, locator: Locator, most: int = 40) -> None:
    """Press Tab until this part has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if locator.evaluate("part => part.getRootNode().activeElement === part"):
            return
    raise AssertionError("not reached with Tab")
