"""What an account sees of its generations: one at a time, in pages, and as they change."""

import json

import websocket

from conformance.target import JOB, Target, matches


def preview(api: Target, **fields: object) -> dict[str, object]:
    made: dict[str, object] = api.order(JOB | {"preview": True} | fields).json()
    return made


def test_changes_come_in_order_and_a_listener_that_comes_back_gets_what_it_missed(api: Target) -> None:
    first = preview(api, seed=1)
    with api.stream(int(str(first["seq"])) - 1) as changes:
        seen = next(change for change in changes if change["id"] == first["id"])
    second = preview(api, seed=2)
    numbers: list[int] = []
    with api.stream(seen["seq"]) as changes:
        for change in changes:
            numbers.append(change["seq"])
            if change["id"] == second["id"]:
                break
    assert numbers == sorted(set(numbers))
    assert numbers[0] > seen["seq"]
    for made in (first, second):
        api.cancel(str(made["id"]))


def test_the_emerging_picture_is_a_jpeg_or_nothing_and_is_gone_with_the_end(api: Target) -> None:
    made = str(preview(api)["id"])
    address = f"/api/generations/{made}/picture"
    before = api.get(made)["progress"]
    answer = api.call("GET", address)
    if answer.status_code == 200:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8")
    else:
        assert answer.status_code == 204
        assert not before or not before.get("picture")
    api.cancel(made)
    assert api.call("GET", address).status_code == 204


def test_a_web_socket_tells_the_same_objects(api: Target) -> None:
    made = preview(api)
    ticket = api.call("POST", "/api/generations/ticket").json()["ticket"]
    since = int(str(made["seq"])) - 1
    address = f"{api.url.replace('http', 'ws', 1)}/api/generations/ws?ticket={ticket}&since={since}"
    socket = websocket.create_connection(address, timeout=20)
    try:
        shown = json.loads(socket.recv())
    finally:
        socket.close()
    matches("Generation", shown)
    assert shown["seq"] > since
    api.cancel(str(made["id"]))


def test_pages_hold_every_generation_once(api: Target) -> None:
    made = {str(preview(api, seed=number)["id"]) for number in range(3)}
    for generation in made:
        api.cancel(generation)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.call("GET", f"/api/generations?limit=2{cursor}").json()
        matches("Page", page)
        found += [shown["id"] for shown in page["items"]]
        if made <= set(found):
            break
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert made <= set(found)
    assert len(found) == len(set(found))


def test_what_is_deleted_is_gone_from_the_list(api: Target) -> None:
    made = str(preview(api)["id"])
    api.cancel(made)
    assert api.call("DELETE", f"/api/generations/{made}").status_code == 204
    assert api.call("GET", f"/api/generations/{made}").status_code == 404


def test_a_retry_is_only_for_what_has_no_video(api: Target) -> None:
    made = str(preview(api)["id"])
    if api.get(made)["state"] in {"held", "submitting", "queued"}:
        assert api.call("POST", f"/api/generations/{made}/retry").status_code == 409
    ended = api.cancel(made)
    if ended["state"] == "cancelled":
        again = api.call("POST", f"/api/generations/{made}/retry")
        assert (again.status_code, again.json()["retry_of"]) == (201, made)
        api.cancel(again.json()["id"])


def test_markup_in_a_prompt_stays_text(api: Target) -> None:
    prompt = '<img src=x onerror=alert(1)> \u202e\u0007 "quoted" 漢字'
    made = api.order({"prompt": prompt, "preview": True})
    assert made.headers["Content-Type"].startswith("application/json")
    assert made.json()["input"]["prompt"] == prompt
    api.cancel(made.json()["id"])
