"""What a caller sends to /run and /runsync, checked; RunPod's API counts time in milliseconds."""

import json
from typing import Any

from local.runpod.job import Policy, Submission

MEBIBYTE = 1024 * 1024
#: Source: docs.runpod.io, serverless/endpoints/operation-reference.
RUN_BYTES = 10 * MEBIBYTE
RUNSYNC_BYTES = 20 * MEBIBYTE

_DAY = 24 * 3600.0
_EXECUTION_TIMEOUT_RANGE = (5.0, 7 * _DAY)
_TTL_RANGE = (10.0, 7 * _DAY)


class BadRequest(Exception):  # noqa: N818 - the name that HTTP gives it
    """Answered with 400 and this sentence."""


def parse(content: bytes, defaults: Policy, *, is_sync: bool) -> Submission:
    """Read the body of a /run or /runsync.

    Arguments:
        content: JSON with `input`, and optionally `webhook`, `policy` and `s3Config`.
        defaults: the endpoint's own policy, for what the body does not say.
        is_sync: whether it is a /runsync.

    Raises:
        BadRequest: the body is no such thing.
    """
    try:
        body = json.loads(content)
    except ValueError:
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict) or "input" not in body:
        raise BadRequest('the body must be an object with "input"')
    webhook = body.get("webhook")
    if webhook is not None and not isinstance(webhook, str):
        raise BadRequest("webhook must be a URL")
    beside = {"s3Config": body["s3Config"]} if "s3Config" in body else {}
    return Submission(body["input"], webhook, _policy(body.get("policy"), defaults), beside, is_sync)


def _policy(given: Any, defaults: Policy) -> Policy:
    if given is None:
        return defaults
    if not isinstance(given, dict):
        raise BadRequest("policy must be an object")
    return Policy(
        _seconds(given, "executionTimeout", _EXECUTION_TIMEOUT_RANGE, defaults.execution_timeout),
        _seconds(given, "ttl", _TTL_RANGE, defaults.ttl),
        bool(given.get("lowPriority", defaults.low_priority)),
    )


def _seconds(policy: dict[str, Any], name: str, allowed: tuple[float, float], default: float) -> float:
    given = policy.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadRequest(f"policy.{name} must be a number of milliseconds")
    low, high = allowed
    if not low <= given / 1000 <= high:
        raise BadRequest(f"policy.{name} must be {low * 1000:.0f} to {high * 1000:.0f} milliseconds")
    return given / 1000
