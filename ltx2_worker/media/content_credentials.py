"""C2PA content credentials: a signed note inside the MP4 that says that it was made by AI, and by what.

Source: C2PA Technical Specification 2.2. The library signs in a child process (isolate.py), so that neither
a time-stamp server that is silent nor a large file holds up or bloats the worker.
"""

import io
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ltx2_api.errors import ErrorCode, WorkerError

from .. import __version__
from ..deadline import Deadline
from ..settings import Settings
from .isolate import run_isolated

log = logging.getLogger(__name__)

#: How IPTC's vocabulary names media that only a trained model made.
TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
#: Hashing 2 GB, which is more than any video has, at 50 MB/s.
SIGN_SECONDS = 60.0
#: A time-stamp server answers in well under a second.
TIMESTAMP_SECONDS = 15.0
#: Credentials without a time stamp end with their certificate; the log says so from here on.
SOON = timedelta(days=30)

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class SigningMaterial:
    """What a child signs with.

    Attributes:
        certificates: PEM, the signer's own first, then those up to the root's.
        key: PEM, PKCS 8, not encrypted.
        algorithm: C2PA's name for it.
        timestamp_url: of an RFC 3161 server.
    """

    certificates: str
    key: str = field(repr=False)
    algorithm: str
    timestamp_url: str | None = None


class ContentCredentials:
    """Signs finished videos.

    Arguments:
        certificates: the signer's certificate and those above it: PEM, or the path of a file with it.
        private_key: the certificate's: PEM, or the path of a file with it.
        timestamp_url: of an RFC 3161 server that notes when a video was signed.

    Raises `WorkerError` for what cannot be read, or does not fit together.
    """

    def __init__(self, certificates: str, private_key: str, timestamp_url: str | None = None) -> None:
        chain, leaf = _certificates(_pem(certificates, "LTX2_C2PA_CERTIFICATES"))
        key, algorithm = _key(_pem(private_key, "LTX2_C2PA_PRIVATE_KEY"), leaf)
        self._material = SigningMaterial(chain, key, algorithm, timestamp_url)
        self._ends = leaf.not_valid_after_utc

    @classmethod
    def from_settings(cls, settings: Settings) -> "ContentCredentials | None":
        """Return what the operator's settings describe, None where they name no certificate."""
        if settings.c2pa_certificates is None and settings.c2pa_private_key is None:
            return None
        if settings.c2pa_certificates is None or settings.c2pa_private_key is None:
            raise _misconfigured("set both LTX2_C2PA_CERTIFICATES and LTX2_C2PA_PRIVATE_KEY, or neither")
        key = settings.c2pa_private_key.get_secret_value()
        return cls(settings.c2pa_certificates, key, settings.c2pa_timestamp_url)

    def check(self) -> None:
        """Sign something small, without a time stamp, before any job is taken.

        Raises `WorkerError`: videos could not be signed.
        """
        if self._ends - datetime.now(UTC) < SOON:
            log.warning("signing certificate ends soon", extra={"ends": self._ends.isoformat()})
        if why := self._run(partial(_try, self._plain), Deadline(SIGN_SECONDS)):
            raise _misconfigured(f"videos cannot be signed with this certificate and key: {why}")

    def sign(self, video: Path, model: str, deadline: Deadline) -> tuple[str, ...]:
        """Put credentials into a finished MP4, in its place.

        Arguments:
            video: the file; on failure it is left as it was.
            model: what made it.
            deadline: the job's.

        Returns:
            Warnings for the caller.

        Raises `WorkerError(INTERNAL)`, retryable: a video is never delivered unsigned.
        """
        signed = video.with_suffix(".signed.mp4")
        warnings: tuple[str, ...] = ()
        if self._material.timestamp_url is not None:
            stamped = partial(_sign_file, self._material, video, signed, model)
            if (why := self._run(stamped, deadline, TIMESTAMP_SECONDS)) is None:
                signed.replace(video)
                return ()
            log.warning("content credentials without time stamp", extra={"why": why})
            warnings = ("The content credentials of this video have no time stamp.",)
        if why := self._run(partial(_sign_file, self._plain, video, signed, model), deadline):
            log.error("content credentials not written", extra={"why": why})
            raise WorkerError(
                ErrorCode.INTERNAL,
                "The video was made, but its content credentials could not be signed, and it was not "
                "delivered; send the job again.",
            )
        signed.replace(video)
        return warnings

    @property
    def _plain(self) -> SigningMaterial:
        """Signing without a time stamp: such credentials are good for as long as the certificate is."""
        return replace(self._material, timestamp_url=None)

    def _run(
        self, work: "partial[list[str]]", deadline: Deadline, seconds: float = SIGN_SECONDS
    ) -> str | None:
        """Do it in a child; return why it failed, or None."""
        too_long = WorkerError(ErrorCode.INTERNAL, f"it took longer than {seconds:.0f} s")
        crashed = WorkerError(ErrorCode.INTERNAL, "the signing process died")
        try:
            said = run_isolated(work, deadline=deadline, seconds=seconds, too_long=too_long, crashed=crashed)
        except WorkerError as error:
            deadline.check()
            return error.message
        return said[0] if said else None


def manifest(model: str) -> dict[str, Any]:
    """What the credentials claim: this worker made the file, with a trained model, and nothing else."""
    created = {
        "action": "c2pa.created",
        "digitalSourceType": TRAINED_ALGORITHMIC_MEDIA,
        "softwareAgent": {"name": model},
    }
    return {
        "claim_generator_info": [{"name": "ltx2-worker", "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _sign_file(material: SigningMaterial, video: Path, signed: Path, model: str) -> list[str]:
    """In a child: write a signed copy; return why it could not be, if so."""
    with video.open("rb") as source, signed.open("w+b") as target:
        why = _sign(material, model, "video/mp4", source, target)
        os.fsync(target.fileno())
    return why


def _try(material: SigningMaterial) -> list[str]:
    """In a child: sign a picture of one pixel; the library reads it again and checks its signature."""
    from PIL import Image  # noqa: PLC0415 - in the child only

    picture = io.BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "JPEG")
    picture.seek(0)
    return _sign(material, "-", "image/jpeg", picture, io.BytesIO())


def _sign(material: SigningMaterial, model: str, kind: str, source: Any, target: Any) -> list[str]:
    import c2pa  # type: ignore[import-untyped]  # noqa: PLC0415 - 23 MB, for those who sign, and only where they do

    try:
        signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(
                material.algorithm.encode(),
                material.certificates.encode(),
                material.key.encode(),
                material.timestamp_url.encode() if material.timestamp_url else None,
            )
        )
        settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": True}}
        builder = c2pa.Builder(manifest(model), c2pa.Context.from_dict(settings))
        builder.sign(signer, kind, source, target)
    except c2pa.C2paError as error:
        return [str(error)[:500]]
    return []


def _pem(value: str, variable: str) -> str:
    """The PEM text of a setting, which may be a file's path; a secret's line ends may be written as \\n."""
    if "-----BEGIN" in value:
        return value.replace("\\n", "\n")
    try:
        return Path(value).expanduser().read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise _misconfigured(f"{variable} is neither PEM text nor a file of it that can be read") from error


def _certificates(pem: str) -> tuple[str, x509.Certificate]:
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise _misconfigured("LTX2_C2PA_CERTIFICATES holds no certificate in PEM form") from error
    text = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    return text.decode(), chain[0]


def _key(pem: str, leaf: x509.Certificate) -> tuple[str, str]:
    """The key as the library takes it, and C2PA's name of its algorithm."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise _misconfigured(
            "LTX2_C2PA_PRIVATE_KEY holds no private key in PEM form without a password"
        ) from error
    if key.public_key() != leaf.public_key():
        raise _misconfigured("LTX2_C2PA_PRIVATE_KEY is not the key of the first certificate")
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            algorithm = _CURVES[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            algorithm = "ed25519"
        case rsa.RSAPrivateKey():
            algorithm = "ps256"
        case _:
            raise _misconfigured("LTX2_C2PA_PRIVATE_KEY must be of P-256, P-384, P-521, Ed25519 or RSA")
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode(), algorithm


def _misconfigured(what: str) -> WorkerError:
    return WorkerError(ErrorCode.INTERNAL, f"Content credentials: {what}.", retryable=False)
