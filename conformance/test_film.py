"""A film of the caller's own videos: once for a key, free, and seen in the stream like all else."""

import os

import pytest

from conformance.target import JOB, Target, matches, new_key

pytestmark = pytest.mark.skipif(os.environ.get("FILMS") != "1", reason="FILMS=1: films are rendered")

SECONDS = float(os.environ.get("WORKER_SECONDS", "120"))


def test_two_clips_and_a_transition_become_a_film(api: Target, other: Target) -> None:
    made = api.order(JOB | {"preview": True}).json()["id"]
    done = api.wait(made, {"succeeded", "failed"}, SECONDS)
    assert done["state"] == "succeeded", done["error"]
    frames = done["result"]["frames"]
    transition = {"kind": "crossfade", "seconds": 6 / done["result"]["fps"]}
    edit = {"clips": [{"generation": made}, {"generation": made, "transition": transition}]}
    headers = {"Idempotency-Key": new_key()}
    before = api.balance()
    asked = api.call("POST", "/api/films", headers=headers, json=edit)
    assert asked.status_code == 201, asked.text
    matches("Film", asked.json())
    again = api.call("POST", "/api/films", headers=headers, json=edit)
    assert (again.status_code, again.json()["id"]) == (200, asked.json()["id"])
    film = api.wait_film(asked.json()["id"], SECONDS)
    assert film["state"] == "succeeded", film["error"]
    assert film["result"]["frames"] == 2 * frames - 6
    assert api.balance() == before
    address = f"/api/films/{film['id']}"
    assert api.call("GET", f"{address}/video").status_code == 302
    assert other.call("GET", address).status_code == 404
    assert api.call("DELETE", address).status_code == 204
    assert api.call("GET", address).status_code == 404


def test_a_clip_that_is_nobody_s_is_named(api: Target) -> None:
    edit = {"clips": [{"generation": "00000000-0000-0000-0000-000000000000"}]}
    answer = api.call("POST", "/api/films", headers={"Idempotency-Key": new_key()}, json=edit)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["faults"]] == ["clips.0.generation"]
