"""The accounts that the environment names."""

import os

import pytest

from conformance.target import Target, from_environment


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in ("BASE_URL", "TOKEN", "OTHER_TOKEN") if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"Set {', '.join(missing)}: see conformance/__init__.py.")


@pytest.fixture
def api() -> Target:
    return from_environment()


@pytest.fixture
def other() -> Target:
    return from_environment("OTHER_TOKEN")
