"""Disks that fill up and slow down, as far as this machine permits it."""

import contextlib
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_fsync.c")


@dataclass(slots=True)
class SmallDisk:
    """A journal's folder on a small tmpfs where mounting is permitted; elsewhere a limit on the size of files."""

    folder: Path
    megabytes: int
    is_mounted: bool = False
    limited: int | None = None

    def mount(self, *, may_mount: bool) -> None:
        """Make the folder, on a disk of its own if that may be."""
        self.folder.mkdir(parents=True, mode=0o700)
        argv = ["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=0700", "tmpfs", str(self.folder)]
        if may_mount and os.geteuid() == 0 and shutil.which("mount"):
            self.is_mounted = subprocess.run(argv, capture_output=True, check=False).returncode == 0

    @property
    def how(self) -> str:
        """Name the way in which it fills up."""
        return f"tmpfs of {self.megabytes} MB" if self.is_mounted else "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        """Leave no room: neither for the journal nor, without a disk of its own, for any file of the process."""
        if self.is_mounted:
            with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            return
        largest = max((file.stat().st_size for file in self.folder.rglob("*.j*") if file.is_file()), default=0)
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 2000, hard))
        self.limited = pid

    def clear(self) -> None:
        """Make room again; a limit may have ended with its process, at the first write that failed."""
        (self.folder / "ballast").unlink(missing_ok=True)
        if self.limited is not None:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(self.limited, resource.RLIMIT_FSIZE)
                resource.prlimit(self.limited, resource.RLIMIT_FSIZE, (hard, hard))
            self.limited = None

    def unmount(self) -> None:
        """Leave the folder's content in a plain folder of the same name."""
        if not self.is_mounted:
            return
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.copytree(self.folder, kept)
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
        kept.rename(self.folder)
        self.is_mounted = False


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """Makes each fsync of one process as slow as it is told, by a shim compiled here."""

    library: Path
    told: Path

    @classmethod
    def compiled(cls, folder: Path, name: str) -> "SlowDisk | None":
        """Build the shim; None where there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return None
        library = folder / "slow_fsync.so"
        if not library.exists():
            argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
            subprocess.run(argv, check=True)
        return cls(library, folder / f"slow-{name}")

    @property
    def before(self) -> tuple[str, ...]:
        """The words before the command line of the process."""
        return ("/usr/bin/env", f"LD_PRELOAD={self.library}", f"SLOW_DISK={self.told}")

    def be(self, milliseconds: int) -> None:
        """Set how long each sync takes; 0 = as fast as the disk is."""
        beside = self.told.with_suffix(".next")
        beside.write_text(str(milliseconds))
        beside.replace(self.told)
