"""What the worker's log says, as a machine reads it."""

import pytest

from ltx2_worker.logs import JsonLines


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Every line so far, fields included."""
    return "\n".join(JsonLines().format(record) for record in caplog.records)
