#!/usr/bin/env python3
"""Takes a release's journals, streams and Secrets into a folder, and puts them back: docs/deploy/disaster-recovery.md.

backup.py backup  RELEASE NAMESPACE FOLDER             stops the release, copies, starts it again
backup.py restore RELEASE NAMESPACE FOLDER             where the release is not: `helm install` follows
backup.py restore RELEASE NAMESPACE FOLDER --replace   where it is: stops it, empties its volumes, starts it again

Needs kubectl with rights on the namespace, and nothing else. The folder holds secrets: keep it as you keep keys.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

Json = dict[str, Any]

STOPPED_IN_TURN = ("strategy", "market-data", "learning", "executor", "risk-gate", "nats")
"""Who writes to a part stops before it; started again in the opposite order."""
COPIED = ("risk-gate", "executor", "nats", "learning")
"""Whose volumes are one record. The store is a fast copy of the gate's journal, and begins empty."""
_KEPT = {"labels", "name", "annotations"}
_PACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdout.buffer, mode='w|').add('/volume', arcname='.')"
_UNPACK = """
import pathlib, shutil, sys, tarfile
for one in pathlib.Path("/volume").iterdir():
    shutil.rmtree(one) if one.is_dir() else one.unlink()
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall("/volume")
"""
_ENOUGH = {"cpu": "200m", "memory": "256Mi"}
_IDLE = "import time; time.sleep(3600)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release by its name and namespace, as kubectl reaches it."""

    name: str
    namespace: str
    folder: Path

    def kubectl(self, *words: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> bytes:
        """Run kubectl and return what it says, or write it; a refusal ends the program with kubectl's own words."""
        argv = ["kubectl", "--namespace", self.namespace, *words]
        streams = {"stdin": stdin or subprocess.DEVNULL, "stdout": stdout or subprocess.PIPE}
        done = subprocess.run(argv, stderr=subprocess.PIPE, check=False, **streams)  # type: ignore[call-overload]  # noqa: S603 - our own words
        if done.returncode:
            raise SystemExit(f"{' '.join(words[:3])}: {done.stderr.decode().strip()}")
        return bytes(done.stdout or b"")

    def create(self, one: Json) -> None:
        """Make an object."""
        with tempfile.TemporaryFile() as described:
            described.write(json.dumps(one).encode())
            described.seek(0)
            self.kubectl("create", "--filename", "-", stdin=described)

    def found(self, kinds: str, component: str | None = None) -> list[Json]:
        """List the release's objects, of one component or of all."""
        chosen = f"app.kubernetes.io/name=gpt-trader,app.kubernetes.io/instance={self.name}"
        if component is not None:
            chosen += f",app.kubernetes.io/component={component}"
        listed: list[Json] = json.loads(self.kubectl("get", kinds, "-l", chosen, "--output", "json"))["items"]
        return listed

    def volumes(self) -> list[Json]:
        """List the claims that belong into a backup."""
        return [one for component in COPIED for one in self.found("persistentvolumeclaims", component)]


def backup(release: Release) -> None:
    """Copy everything while nobody writes, and start again whatever happens."""
    claims = release.volumes()
    if not claims:
        raise SystemExit(f"no volumes of a release {release.name} in {release.namespace}")
    release.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    image, digests = _image(release), {}
    with _stopped(release):
        for name in (one["metadata"]["name"] for one in claims):
            with (release.folder / f"{name}.tar").open("wb") as target:
                _in_pod(release, name, image, _PACK, stdout=target)
            digests[name] = _digest(release.folder / f"{name}.tar")
    secrets = [_plain(one) for one in release.found("secrets")]
    manifest = {"image": image, "digests": digests, "claims": [_plain(one) for one in claims], "secrets": secrets}
    path = release.folder / "manifest.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(manifest, indent=2))
    sys.stdout.write(f"{path}: {len(secrets)} Secrets, {len(claims)} volumes\n")


def restore(release: Release, *, replaces: bool) -> None:
    """Make Secrets and volumes as they were; refuses where any of them is in the way, unless it may replace them."""
    manifest = json.loads((release.folder / "manifest.json").read_text())
    for name, digest in manifest["digests"].items():
        if _digest(release.folder / f"{name}.tar") != digest:
            raise SystemExit(f"{name}.tar is not what was backed up: its sha256 is another")
    there = {_ref(one) for one in release.found("statefulsets,deployments,persistentvolumeclaims,secrets")}
    if there and not replaces:
        raise SystemExit(f"in the way: {', '.join(sorted(there))}: uninstall and delete them, or give --replace")
    for one in (*manifest["secrets"], *manifest["claims"]):
        if _ref(one) not in there:
            release.create(one)
    with _stopped(release):
        for name in manifest["digests"]:
            with (release.folder / f"{name}.tar").open("rb") as source:
                _in_pod(release, name, manifest["image"], _UNPACK, stdin=source)
    sys.stdout.write("restored; the gate must start with riskGate.startHalted=true: look, then reset\n")


@contextmanager
def _stopped(release: Release) -> Iterator[None]:
    """Let nobody of the release write, and start again what ran, the bus first."""
    running = [one for component in STOPPED_IN_TURN for one in release.found("statefulsets,deployments", component)]
    try:
        for one in running:
            chosen = ",".join(f"{name}={value}" for name, value in one["spec"]["selector"]["matchLabels"].items())
            release.kubectl("scale", _ref(one), "--replicas=0")
            release.kubectl("wait", "--for=delete", "pod", "-l", chosen, "--timeout=180s")
        yield
    finally:
        for one in reversed(running):
            release.kubectl("scale", _ref(one), f"--replicas={one['spec']['replicas']}")


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _image(release: Release) -> str:
    (gate,) = release.found("statefulsets", "risk-gate")
    image: str = gate["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _ref(one: Json) -> str:
    return f"{one['kind'].lower()}/{one['metadata']['name']}"


def _plain(one: Json) -> Json:
    """Leave out what the cluster added and would not take back."""
    metadata = {name: value for name, value in one["metadata"].items() if name in _KEPT}
    annotations = metadata.get("annotations", {})
    metadata["annotations"] = {
        name: value for name, value in annotations.items() if "helm.sh" in name or "gpt-trader/" in name
    }
    kept: Json = {name: one[name] for name in ("apiVersion", "kind", "data", "type") if name in one}
    spec = {name: value for name, value in one.get("spec", {}).items() if name != "volumeName"}
    return {**kept, "metadata": metadata, **({"spec": spec} if spec else {})}


def _in_pod(
    release: Release,
    claim: str,
    image: str,
    program: str,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    """Run a program beside a volume, in a pod that reaches nobody and may do nothing else."""
    name = f"copy-{hashlib.sha256(claim.encode()).hexdigest()[:10]}"
    release.create(_pod(release, name, claim, image))
    try:
        release.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s")
        release.kubectl("exec", "--stdin", name, "--", "python3", "-c", program, stdin=stdin, stdout=stdout)
    finally:
        release.kubectl("delete", "pod", name, "--grace-period=0", "--force")


def _pod(release: Release, name: str, claim: str, image: str) -> Json:
    labels = {
        "app.kubernetes.io/name": "gpt-trader",
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/component": "copy",
    }
    container: Json = {
        "name": "copy",
        "image": image,
        "command": ["python3", "-c", _IDLE],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": _ENOUGH, "limits": _ENOUGH},
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    spec: Json = {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def main(words: Sequence[str]) -> None:
    """Back up or restore, as the first word says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("backup", "restore"))
    parser.add_argument("release")
    parser.add_argument("namespace")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--replace", action="store_true", help="stop the release and replace what is there")
    given = parser.parse_args(words)
    release = Release(name=given.release, namespace=given.namespace, folder=given.folder)
    if given.what == "backup":
        backup(release)
    else:
        restore(release, replaces=given.replace)


if __name__ == "__main__":
    main(sys.argv[1:])
