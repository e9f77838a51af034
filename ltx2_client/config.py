"""Where a client's endpoint, key and bucket come from: arguments first, then the environment."""

import os
from collections.abc import Mapping

from pydantic import SecretStr

from .bucket import Bucket
from .errors import NotConfigured
from .journal import Journal
from .rules import Rules
from .runpod_api import PUBLIC_URL, Address

#: Environment variables: the endpoint's id, the API key, and the API's address if it is not RunPod's.
ENDPOINT_NAMES = ("LTX2_ENDPOINT_ID", "RUNPOD_ENDPOINT_ID")
KEY_NAME = "RUNPOD_API_KEY"
URL_NAME = "LTX2_API_URL"


def rules_for(
    *,
    endpoint: str | None,
    key: str | None,
    url: str | None,
    timeout: float,
    journal: Journal | None,
    bucket: Bucket | None,
    variables: Mapping[str, str] = os.environ,
) -> Rules:
    """The rules for one endpoint; what is None is looked for in the environment.

    Raises:
        NotConfigured: there is no endpoint, or no key.
    """
    endpoint = endpoint or next((variables[name] for name in ENDPOINT_NAMES if variables.get(name)), None)
    if not endpoint:
        raise NotConfigured(f"No endpoint: set {ENDPOINT_NAMES[0]} to the id of your RunPod endpoint.")
    key = (key or variables.get(KEY_NAME) or "").strip()
    if not key:
        raise NotConfigured(f"No API key: set {KEY_NAME} to your RunPod API key.")
    if not (key.isascii() and key.isprintable()):
        raise NotConfigured("The API key holds characters that no key has; copy it again.")
    address = Address(url or variables.get(URL_NAME) or PUBLIC_URL, endpoint, SecretStr(key), timeout)
    return Rules(address, journal, bucket or Bucket.from_environment(variables))
