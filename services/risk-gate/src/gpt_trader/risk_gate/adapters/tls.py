"""TLS on both sides: what we serve and whom we believe."""

import ssl
from pathlib import Path

from gpt_trader.runtime.secret_files import KeyUnusable


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """Serve with this chain and key; raises KeyUnusable naming the files."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        raise KeyUnusable(f"TLS certificate {certificate} with key {private_key}: {error}") from error
    return context


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Believe this authority only, or the system's without one; names are always checked."""
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise KeyUnusable(f"TLS authority {ca_file}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
