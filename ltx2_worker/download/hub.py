"""One file from the Hugging Face Hub onto the disk: what the hub says of it, its bytes, its check.

huggingface_hub looks a file up, signs the requests and words the hub's refusals; hf_xet is its fast
transfer. The loop that writes is ours for one reason: `hf_hub_download` (2.x) throws an interrupted file
away, and these have 27 GB. Here the bytes that arrived stay, hashed as they come.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # documented there, typed as private
    XetFileData,
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from ..catalog.files import ModelFile

#: What is lost at most when a connection is cut, in bytes.
CHUNK = 256 * 1024
ATTEMPTS = 5
LONGEST_PAUSE = 30.0


class HubError(Exception):
    """A file that cannot be had, as one sentence for the person at the terminal."""


class NotOnHub(HubError):  # noqa: N818 - named for what it says
    """The repository, revision or file does not exist, or is hidden from this token."""


class Stopped(Exception):  # noqa: N818 - it is not an error: somebody pressed Ctrl-C
    """The transfer was told to stop; what arrived stays for the next run."""


class _Interrupted(Exception):  # noqa: N818
    """The transfer broke in a way that another attempt may mend."""


@dataclass(frozen=True)
class Remote:
    """A file as the hub has it now: size in bytes, and the sha256 that its large files are stored under."""

    url: str
    size: int
    sha256: str
    xet: XetFileData | None


class Hub:
    """The Hugging Face Hub, or what HF_ENDPOINT names in its place.

    Arguments:
        endpoint: address of the hub; default: HF_ENDPOINT, else the public hub.
        token: access token; default: HF_TOKEN, else the one that `hf auth login` stored, else none.
        backoff: seconds before the second attempt; doubled before each further one.
    """

    def __init__(self, endpoint: str | None = None, token: str | None = None, backoff: float = 1.0) -> None:
        self._endpoint = endpoint
        self._token = token
        self._backoff = backoff

    def lookup(self, file: ModelFile, stop: Event) -> Remote:
        """Ask the hub for a file's size and hash, and hold them against files.toml.

        Raises:
            NotOnHub: there is no such file, or this token may not see it.
            HubError: the hub cannot be reached, says too little, or serves another file than the list names.
            Stopped: `stop` was set.
        """
        url = hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=self._endpoint)
        failures = 0
        while True:
            try:
                with _worded(file):
                    found = get_hf_file_metadata(url, token=self._token, endpoint=self._endpoint)
                break
            except _Interrupted as error:
                failures += 1
                self._pause(failures, file, error, stop)
        sha256 = found.etag if found.etag and re.fullmatch("[0-9a-f]{64}", found.etag) else None
        if found.size is None or sha256 is None or found.commit_hash is None:
            raise HubError(
                f"{file.name}: the hub at this address gives no size, commit or sha256 to check it by."
            )
        if file.sha256 not in (None, sha256) or (file.size_exact and file.size != found.size):
            raise HubError(f"{file.name}: {file.repo} now serves another file than files.toml names.")
        pinned = hf_hub_url(file.repo, file.path, revision=found.commit_hash, endpoint=self._endpoint)
        return Remote(pinned, found.size, sha256, found.xet_file_data)

    def fetch(self, file: ModelFile, remote: Remote, part: Path, stop: Event) -> None:
        """Fill `part` with the whole file, going on from what it already holds, and verify it.

        Raises:
            HubError: it did not arrive after several attempts, the disk refused it, or its hash is wrong.
            Stopped: `stop` was set; `part` keeps what arrived.
        """
        for _ in range(2):
            if self._fill(file, remote, part, stop) == remote.sha256:
                return
            part.unlink()
        raise HubError(f"{file.name}: arrived damaged twice (its sha256 is not the hub's); nothing was kept.")

    def _fill(self, file: ModelFile, remote: Remote, part: Path, stop: Event) -> str:
        part.parent.mkdir(parents=True, exist_ok=True)
        if part.exists() and part.stat().st_size > remote.size:
            part.unlink()
        digest = hashlib.sha256()
        done = hash_file(part, stop, digest) if part.exists() else 0
        failures = 0
        while done < remote.size:
            before = done
            try:
                with _disk_full_worded(file), part.open("ab") as out:
                    for chunk in self._bytes_from(file, remote, done):
                        out.write(chunk)
                        digest.update(chunk)
                        done += len(chunk)
                        if stop.is_set():
                            raise Stopped
                if done < remote.size:
                    raise _Interrupted("the connection ended early")
            except _Interrupted as error:
                failures = 1 if done > before else failures + 1
                self._pause(failures, file, error, stop)
        return digest.hexdigest() if done == remote.size else ""

    def _bytes_from(self, file: ModelFile, remote: Remote, offset: int) -> Iterator[bytes]:
        if remote.xet and find_spec("hf_xet") and not constants.HF_HUB_DISABLE_XET:
            return self._over_xet(remote.xet, remote.size, offset)
        return self._over_http(file, remote.url, offset)

    def _over_http(self, file: ModelFile, url: str, offset: int) -> Iterator[bytes]:
        headers = build_hf_headers(token=self._token) | {"accept-encoding": "identity"}
        if offset:
            headers["range"] = f"bytes={offset}-"
        with (
            _worded(file),
            get_session().stream(
                "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, follow_redirects=True
            ) as response,
        ):
            hf_raise_for_status(response)
            # A server may answer a range with the whole file.
            surplus = offset if response.status_code == httpx2.codes.OK else 0
            for chunk in response.iter_bytes(CHUNK):
                yield chunk[surplus:]
                surplus = max(0, surplus - len(chunk))

    def _over_xet(self, source: XetFileData, size: int, offset: int) -> Iterator[bytes]:
        from hf_xet import XetFileInfo, XetSession  # noqa: PLC0415 - there are platforms without it

        headers = build_hf_headers(token=self._token)
        try:
            group = XetSession().new_download_stream_group(
                token_refresh_url=source.refresh_route, token_refresh_headers=headers
            )
            yield from group.download_stream(XetFileInfo(source.file_hash, size), start=offset)
        except GeneratorExit:
            raise
        except Exception as error:  # the library documents no family of its own
            raise _Interrupted(str(error)) from error

    def _pause(self, failures: int, file: ModelFile, error: Exception, stop: Event) -> None:
        if failures >= ATTEMPTS:
            raise HubError(f"{file.name}: the hub does not answer properly ({error}); run this again later.")
        if stop.wait(min(LONGEST_PAUSE, self._backoff * 2 ** (failures - 1))):
            raise Stopped


def hash_file(path: Path, stop: Event, digest: "hashlib._Hash") -> int:
    """Feed a file into `digest`; return its size in bytes. Raises `Stopped` when `stop` is set."""
    done = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            if stop.is_set():
                raise Stopped
            digest.update(chunk)
            done += len(chunk)
    return done


@contextmanager
def _worded(file: ModelFile) -> Iterator[None]:
    """Turn what the hub or the network says into one sentence, or into another attempt."""
    try:
        yield
    except GatedRepoError as error:
        raise HubError(
            f"{file.name}: {file.repo} is gated; accept its terms on its page and set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise NotOnHub(
            f"{file.name}: {file.repo} does not exist, or is private and HF_TOKEN does not open it."
        ) from error
    except RevisionNotFoundError as error:
        raise NotOnHub(f"{file.name}: {file.repo} has no revision {file.revision}.") from error
    except EntryNotFoundError as error:
        raise NotOnHub(f"{file.name}: {file.repo} has no file {file.path}.") from error
    except OfflineModeIsEnabled as error:
        raise HubError(
            f"{file.name}: HF_HUB_OFFLINE forbids asking the hub; unset it to download."
        ) from error
    except FileMetadataError as error:
        raise HubError(f"{file.name}: what answers at this address is no Hugging Face Hub.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise HubError(
                f"{file.name}: {file.repo} refuses this token (HTTP {status}); check HF_TOKEN."
            ) from error
        if status == httpx2.codes.NOT_FOUND:
            raise NotOnHub(f"{file.name}: {file.repo} has no file {file.path}.") from error
        if status not in (408, 429) and status < 500:
            raise HubError(f"{file.name}: the hub refuses the request (HTTP {status}).") from error
        raise _Interrupted(f"HTTP {status}") from error
    except httpx2.TransportError as error:
        raise _Interrupted(str(error) or type(error).__name__) from error


@contextmanager
def _disk_full_worded(file: ModelFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HubError(f"{file.name}: cannot be written: {error.strerror}; what arrived is kept.") from error
