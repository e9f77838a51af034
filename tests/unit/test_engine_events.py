import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltx2_worker.engine.events import Cached, Ended, NodeProgress, NodeStarted, Preview, Started, parse

OURS = "11111111-1111-5111-8111-111111111111"
JPEG = b"\xff\xd8picture"


def message(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": {"prompt_id": OURS, **data}})


def preview(prompt_id: str = OURS, image_type: str = "image/jpeg") -> bytes:
    metadata = json.dumps({"prompt_id": prompt_id, "image_type": image_type}).encode()
    return struct.pack(">II", 4, len(metadata)) + metadata + JPEG


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (message("execution_start"), Started()),
        (message("execution_cached", nodes=["a", 7]), Cached(("a", "7"))),
        (message("executing", node="a"), NodeStarted("a")),
        (message("executing", node=None), Ended()),
        (message("progress", node="a", value=2, max=8), NodeProgress("a", 2, 8)),
        (message("execution_success"), Ended()),
        (message("execution_error"), Ended()),
        (message("execution_interrupted"), Ended()),
        (message("progress_state", nodes={}), None),
    ],
)
def test_each_message_becomes_its_event(text: str, event: object) -> None:
    assert parse(text, OURS) == event


@pytest.mark.parametrize("kind", ["execution_start", "executing", "execution_error", "execution_success"])
def test_another_prompts_messages_are_never_ours(kind: str) -> None:
    assert parse(json.dumps({"type": kind, "data": {"prompt_id": "other", "node": None}}), OURS) is None


def test_a_node_message_without_a_prompt_is_not_ours() -> None:
    """ComfyUI sends one when a client connects again, with node null if nothing runs any more."""
    assert parse(json.dumps({"type": "executing", "data": {"node": None}}), OURS) is None


def test_a_preview_counts_only_with_our_prompts_id() -> None:
    assert parse(preview(), OURS) == Preview(JPEG)
    assert parse(preview(prompt_id="other"), OURS) is None
    assert parse(preview(image_type="image/png"), OURS) is None
    assert parse(struct.pack(">II", 1, 1) + JPEG, OURS) is None


@given(st.binary(max_size=64) | st.text(max_size=64))
def test_garbage_is_nothing(garbage: bytes | str) -> None:
    assert parse(garbage, OURS) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["node", "max", "nodes"]), inner)
        ),
        max_leaves=6,
    ),
    st.sampled_from(["executing", "progress", "execution_cached"]),
)
def test_messages_of_an_unexpected_shape_do_no_harm(data: object, kind: str) -> None:
    if isinstance(data, dict):
        data = {**data, "prompt_id": OURS}
    event = parse(json.dumps({"type": kind, "data": data}), OURS)
    assert event is None or isinstance(event, Ended | NodeStarted | NodeProgress | Cached)
