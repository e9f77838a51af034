"""A job's id becomes a name that is safe wherever it is used."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltx2_worker.storage.names import object_name

IDS = st.text(max_size=300) | st.text(alphabet="./\\-_~%\0ab ", max_size=20) | st.just("a" * 5000)


@given(IDS)
def test_any_id_becomes_a_plain_visible_short_name(job_id: str) -> None:
    name = object_name(job_id)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name)
    assert not name.startswith(".")
    assert PurePosixPath(f"{name}.mp4").name == f"{name}.mp4"


@given(IDS, IDS)
def test_two_ids_never_share_a_name(one: str, other: str) -> None:
    assert (object_name(one) == object_name(other)) == (one == other)


@pytest.mark.parametrize("job_id", ["0f3c9a2e-7d1b-4c55-9d0e-2b1f-u1", "sync-0f3c9a2e-e1", "local_test"])
def test_the_platforms_ids_are_kept(job_id: str) -> None:
    assert object_name(job_id) == job_id


@pytest.mark.parametrize(
    "job_id", ["", ".", "..", "../../etc/passwd", "a/b", "a\nb", "ü", ".hidden", "\ud800"]
)
def test_other_ids_are_cleaned_and_told_apart(job_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]*_[0-9a-f]{32}", object_name(job_id))
