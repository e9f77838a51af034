"""Certificates made for the tests: an authority of their own, and a signer below it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Signer:
    """PEM texts: what a worker is given, and the authority that a reader trusts."""

    certificates: str
    private_key: str
    authority: str


def signer(*, days: float = 60, curve: ec.EllipticCurve | None = None) -> Signer:
    """Make an authority and a signer whose certificate is good for so many days."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(curve or ec.SECP256R1())
    authority = _certificate("Authority", authority_key, "Authority", authority_key, days=3650, is_ca=True)
    leaf = _certificate("Signer", key, "Authority", authority_key, days=days, is_ca=False)
    return Signer(_text(leaf) + _text(authority), pem(key), _text(authority))


def stamper() -> tuple[Signer, str]:
    """Make an authority and a time stamper below it; the stamper's certificate alone comes second."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Stamps", authority_key, "Stamps", authority_key, days=3650, is_ca=True)
    purpose = ExtendedKeyUsageOID.TIME_STAMPING
    leaf = _certificate("Stamper", key, "Stamps", authority_key, days=60, is_ca=False, purpose=purpose)
    return Signer(_text(leaf) + _text(authority), pem(key), _text(authority)), _text(leaf)


def pem(key: Key) -> str:
    """A private key as text, in the form that OpenSSL 1 wrote."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _certificate(
    name: str,
    key: Key,
    issuer: str,
    issuer_key: Key,
    *,
    days: float,
    is_ca: bool,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> x509.Certificate:
    """A certificate as C2PA's profile asks for it."""
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_ca:
        only_stamps = purpose == ExtendedKeyUsageOID.TIME_STAMPING  # RFC 3161 wants it critical
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=only_stamps)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
