"""What holds the client's parts together: the twins, the imports, the webhook's helpers."""

import ast
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ltx2_client
from local.runpod import Emulator, Script
from ltx2_client import AsyncClient, AsyncHandle, AsyncVideo, BadReply, Client, Handle, State, Video, webhook
from tests.client.outputs import video_output
from tests.emulator.receiver import receiver

ROOT = Path(ltx2_client.__file__).parent
#: What the client's distribution asks for, and its two extras.
ALLOWED = {
    *("httpx2", "anyio", "pydantic", "filelock", "rich"),
    *("boto3", "botocore"),  # [bucket]
    *("av", "numpy"),  # [film]
    "opentimelineio",  # [otio]
}
SECRET = "a secret of sixteen"


def public(kind: type) -> dict[str, Callable[..., object]]:
    """The methods that `kind` itself has; those with an `a` before their name are context managers'."""
    found = {name: value for name, value in vars(kind).items() if inspect.isroutine(value)}
    return {name: value for name, value in found.items() if not name.startswith("_") and name != "of"}


def parameters(method: Callable[..., object]) -> list[tuple[str, object, object]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]


@pytest.mark.parametrize("twins", [(Client, AsyncClient), (Handle, AsyncHandle), (Video, AsyncVideo)])
def test_both_clients_have_the_same_methods_parameters_and_defaults(twins: tuple[type, type]) -> None:
    ours, theirs = (public(kind) for kind in twins)
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        mine = inspect.signature(method).parameters.values()
        other = inspect.signature(theirs[name]).parameters.values()
        assert [(p.name, p.kind, p.default) for p in mine] == [(p.name, p.kind, p.default) for p in other], (
            name
        )


def imported(package: Path) -> Iterator[tuple[str, str]]:
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield path.name, node.module.partition(".")[0]


def test_the_client_imports_the_contract_and_what_it_asks_for_and_nothing_else() -> None:
    known = ALLOWED | {"ltx2_api"} | set(sys.stdlib_module_names)
    assert [found for found in imported(ROOT) if found[1] not in known] == []


def test_neither_the_contract_nor_the_worker_imports_the_client() -> None:
    for package in ("ltx2_api", "ltx2_worker"):
        assert [found for found in imported(ROOT.parent / package) if found[1] == "ltx2_client"] == []


def test_a_webhook_is_a_hint_to_be_confirmed_by_asking(runpod: Emulator, client: Client) -> None:
    with receiver() as backend:
        handle = client.submit({"prompt": "A kite.", "preview": True}, webhook=backend.url)
        runpod.play(lambda job: Script(0.05, video_output(job.id, b"x")))
        runpod.wait_for(lambda: backend.bodies, "the webhook", 30)
    hint = webhook.parse(json.dumps(backend.bodies[0]).encode())
    assert (hint.job_id, hint.state) == (handle.id, State.COMPLETED)
    assert client.handle(hint.job_id).status().state is State.COMPLETED


def test_a_webhooks_token_is_good_for_one_job_and_one_secret() -> None:
    reference, token = webhook.path(SECRET, "order-7").split("/")
    assert webhook.check(SECRET, reference, token)
    assert not webhook.check(SECRET, "order-8", token)
    assert not webhook.check(SECRET + "!", reference, token)
    assert not webhook.check(SECRET, reference, token[:-1] + "é")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 7}', b'{"id": null, "status": "COMPLETED"}', b"\xff"]
)
def test_a_body_that_is_no_webhook_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(BadReply):
        webhook.parse(body)


def test_a_webhooks_secret_is_long_enough() -> None:
    with pytest.raises(ValueError, match="16"):
        webhook.token("short", "order-7")
