"""Fixtures that several folders of tests share."""

import ltx2_worker.quick_sdk  # noqa: F401 - before anything imports the SDK

pytest_plugins = ("tests.engine.fixtures", "tests.storage.fixtures")
