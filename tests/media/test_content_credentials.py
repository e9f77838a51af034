"""Content credentials, as C2PA's own reader sees them; and what happens where none can be written."""

import json
import logging
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media import content_credentials
from ltx2_worker.media.content_credentials import TRAINED_ALGORITHMIC_MEDIA, ContentCredentials
from ltx2_worker.media.video import inspect
from ltx2_worker.settings import Settings
from tests.media.certificates import Signer, pem, signer
from tests.media.test_video import as_the_engine
from tests.media.timestamps import stamping

MODEL = "ltx-2-19b-distilled-fp8.safetensors"


@pytest.fixture(scope="module")
def ours() -> Signer:
    return signer()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_the_engine(tmp_path_factory.mktemp("finished") / "video.mp4")


@pytest.fixture
def video(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(finished, tmp_path / "video.mp4"))


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def credentials(signing: Signer, timestamp_url: str | None = None) -> ContentCredentials:
    return ContentCredentials(signing.certificates, signing.private_key, timestamp_url)


def read(video: Path, trusted: Signer) -> tuple[str, dict[str, Any]]:
    """What C2PA's reader says of a file: the state of its credentials, and what they claim."""
    context = c2pa.Context.from_dict({"trust": {"trust_anchors": trusted.authority}})
    with c2pa.Reader(video, context=context) as reader:
        said = json.loads(reader.json())
        return str(reader.get_validation_state()), said["manifests"][said["active_manifest"]]


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_a_signed_video_is_trusted_and_says_that_a_model_made_it(
    video: Path, curve: ec.EllipticCurve
) -> None:
    signing = signer(curve=curve)
    before = inspect(video)
    assert credentials(signing).sign(video, MODEL, Deadline(60)) == ()
    state, claim = read(video, signing)
    assert state == "Trusted"
    (actions,) = (each["data"] for each in claim["assertions"] if each["label"].startswith("c2pa.actions"))
    (action,) = actions["actions"]
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", TRAINED_ALGORITHMIC_MEDIA)
    assert action["softwareAgent"]["name"] == MODEL
    assert claim["claim_generator_info"][0]["name"] == "ltx2-worker"
    assert replace(inspect(video), bytes=before.bytes) == before
    assert list(video.parent.iterdir()) == [video]


def test_a_signed_video_that_was_changed_is_recognised(video: Path, ours: Signer) -> None:
    credentials(ours).sign(video, MODEL, Deadline(60))
    data = bytearray(video.read_bytes())
    data[-100] ^= 1
    video.write_bytes(data)
    assert read(video, ours)[0] == "Invalid"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which stamps, is not installed")
def test_a_timestamp_says_when_a_video_was_signed(video: Path, ours: Signer, tmp_path: Path) -> None:
    (tmp_path / "stamps").mkdir()
    with stamping(tmp_path / "stamps") as url:
        assert credentials(ours, url).sign(video, MODEL, Deadline(60)) == ()
    state, claim = read(video, ours)
    assert state == "Trusted"
    signed = datetime.fromisoformat(claim["signature_info"]["time"])
    assert abs(datetime.now(UTC) - signed) < timedelta(minutes=5)


def test_a_timestamp_server_that_is_silent_costs_the_stamp_and_not_the_video(
    video: Path, ours: Signer, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_credentials, "TIMESTAMP_SECONDS", 1.0)
    warnings = credentials(ours, silent_server).sign(video, MODEL, Deadline(60))
    assert warnings == ("The content credentials of this video have no time stamp.",)
    assert read(video, ours)[0] == "Trusted"


def test_a_cancel_ends_signing_at_once(video: Path, ours: Signer, silent_server: str) -> None:
    deadline = Deadline(60)
    deadline.cancel()
    with pytest.raises(Cancelled):
        credentials(ours, silent_server).sign(video, MODEL, deadline)


def test_a_video_that_cannot_be_signed_is_not_delivered_and_the_job_may_come_again(
    tmp_path: Path, ours: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "video.mp4"
    broken.write_bytes(b"no video at all")
    with pytest.raises(WorkerError) as failed:
        credentials(ours).sign(broken, MODEL, Deadline(60))
    assert failed.value.code is ErrorCode.INTERNAL
    assert failed.value.retryable
    assert any(record.message == "content credentials not written" for record in caplog.records)


def test_certificate_and_key_are_tried_before_any_job(ours: Signer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        credentials(ours).check()
        assert not caplog.records
        credentials(signer(days=5)).check()
    assert [record.message for record in caplog.records] == ["signing certificate ends soon"]
    with pytest.raises(WorkerError, match=r"cannot be signed with this certificate and key: .*not valid"):
        credentials(signer(days=-1)).check()


@pytest.mark.parametrize(
    ("certificates", "key", "why"),
    [
        ("/nowhere.pem", "", "LTX2_C2PA_CERTIFICATES is neither PEM text nor a file"),
        ("-----BEGIN nothing", "", "holds no certificate"),
        ("", "-----BEGIN nothing", "holds no private key"),
        ("", "other", "is not the key of the first certificate"),
    ],
)
def test_what_does_not_fit_together_is_a_sentence_without_the_key(
    ours: Signer, certificates: str, key: str, why: str
) -> None:
    secret = pem(ec.generate_private_key(ec.SECP256R1())) if key == "other" else key or ours.private_key
    with pytest.raises(WorkerError, match=why) as refused:
        ContentCredentials(certificates or ours.certificates, secret)
    assert "PRIVATE KEY-----" not in refused.value.message


def test_a_secret_s_line_ends_may_be_written_as_two_characters_or_lie_in_a_file(
    ours: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "certificates.pem"
    file.write_text(ours.certificates, encoding="ascii")
    monkeypatch.setenv("LTX2_C2PA_CERTIFICATES", str(file))
    with pytest.raises(WorkerError, match="or neither"):
        ContentCredentials.from_settings(Settings())
    monkeypatch.setenv("LTX2_C2PA_PRIVATE_KEY", ours.private_key.replace("\n", "\\n"))
    settings = Settings()
    assert ContentCredentials.from_settings(settings) is not None
    assert "BEGIN" not in repr(settings)
    assert "PRIVATE KEY" not in repr(vars(credentials(ours)))
