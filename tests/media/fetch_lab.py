"""Fetching one small file, as the tests of it do."""

from pathlib import Path

import pytest

from ltx2_api.errors import WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media.fetch import Source, fetch
from ltx2_worker.settings import Settings

FIELD = "image_url"
CONTENT = bytes(range(256)) * 100
MOST = 30_000


def fetched(url: str, folder: Path, settings: Settings, deadline: Deadline | None = None) -> bytes:
    target = folder / "fetched"
    fetch(Source(FIELD, url=url), target, MOST, deadline or Deadline(60), settings)
    return target.read_bytes()


def refused(url: str, folder: Path, settings: Settings) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        fetched(url, folder, settings)
    assert caught.value.field == FIELD
    assert caught.value.message.startswith(FIELD)
    return caught.value
