"""Fixtures that several folders of tests share."""

from ltx2_worker.endpoint import runpod_sdk  # noqa: F401 - before anything imports the SDK

pytest_plugins = ("tests.engine.fixtures",)
