"""A certificate authority for one server: made, used once, and thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gpt_trader.runtime.secret_files import write_secret

_LIFE = timedelta(days=365)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + life)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A server's certificate with its key, and the authority that signed it; all PEM."""

    authority: str
    certificate: str
    key: str = field(repr=False)


def issue(subject: str, names: Sequence[str], now: datetime, life: timedelta = _LIFE) -> Issued:
    """Make an authority, let it sign one server certificate for names and addresses, and throw its key away."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = f"{subject} CA"
    authority = (
        _builder(issuer, issuer, ca_key, now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(_ca_usage(), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(subject, issuer, key, now, life)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return Issued(authority=_text(authority), certificate=_text(certificate), key=_pem(key).decode())


def make_egress_certificate(folder: Path, ca_file: Path, now: datetime) -> tuple[Path, Path]:
    """Write a CA and the egress's certificate for loopback; return (certificate, key)."""
    issued = issue("gpt-trader run", ("localhost", "127.0.0.1", "::1"), now)
    ca_file.write_text(issued.authority)
    certificate_file, key_file = folder / "egress.crt", folder / "egress.key"
    certificate_file.write_text(issued.certificate)
    write_secret(key_file, issued.key)
    return certificate_file, key_file


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
