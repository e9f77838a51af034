"""Fixtures of the media tests."""

from collections.abc import Iterator

import pytest

from tests.media.fetch_lab import CONTENT
from tests.media.web_lab import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server with one small file, and many ways to misbehave."""
    with serving() as running:
        running.content = CONTENT
        yield running
