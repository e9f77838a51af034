"""What tests do at the page again and again."""

from playwright.sync_api import Page


def write(page: Page, prompt: str) -> None:
    page.get_by_label("What is seen and heard").fill(prompt)


def make_preview(page: Page) -> None:
    page.get_by_role("button", name="Preview 1 s").click()
