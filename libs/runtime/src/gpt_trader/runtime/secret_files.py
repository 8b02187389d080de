"""Secrets in files that only their owner can open."""

import os
import stat
from pathlib import Path

_ALWAYS_FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP


class KeyUnusable(Exception):
    """A key file is missing, readable by others, or no key; the message names the file."""


def write_secret(path: Path, content: str) -> None:
    """Write a secret so that nobody but its owner could ever have opened it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content)


def read_secret(path: Path) -> str:
    """Read a secret file; raises KeyUnusable if it is missing or anybody else may read it.

    A file that somebody else owns may be group-readable: Kubernetes mounts secrets as root's, for our group.
    """
    try:
        status = path.stat()
        content = path.read_text()
    except OSError as error:
        raise KeyUnusable(f"secret file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise KeyUnusable(f"secret file {path}: is no text") from None
    is_ours = status.st_uid == os.geteuid()
    if status.st_mode & (_ALWAYS_FORBIDDEN | (stat.S_IRGRP if is_ours else 0)):
        raise KeyUnusable(f"secret file {path} has mode {stat.S_IMODE(status.st_mode):04o}: it must be 0600 or 0400")
    return content.strip()
