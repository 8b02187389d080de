"""The backup takes every volume of a release, and its own pod is no hole in it; `make e2e-k8s` runs it on a cluster."""

import runpy
from pathlib import Path

import kubernetes_validate
import pytest
from network import permitted
from rendered import RELEASE, ROOT, Json, of_kind, pods, rendered
from safety import every_container_is_limited, nobody_has_privileges, nobody_is_root, root_file_systems_are_read_only

BACKUP = runpy.run_path(str(ROOT / "deploy/kubernetes/backup.py"))


def copying_pod() -> Json:
    release = BACKUP["Release"](name=RELEASE, namespace="trading", folder=Path("folder"))
    pod: Json = BACKUP["_pod"](release, "copy-1", "state-0", "gpt-trader/risk-gate:0.1.0")
    return pod


@pytest.mark.parametrize("profile", ["defaults", "prod-live"])
def test_every_volume_is_copied_but_the_stores(profile: str) -> None:
    objects = rendered(profile)
    with_volumes = {pod.component for pod in pods(objects) if "persistentVolumeClaim" in str(pod.spec)}
    with_volumes |= {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for one in of_kind(objects, "StatefulSet")
        if one["spec"]["volumeClaimTemplates"]
    }

    assert with_volumes - {"redis"} == set(BACKUP["COPIED"])


@pytest.mark.parametrize("profile", ["defaults", "prod-live"])
def test_everybody_who_writes_is_stopped(profile: str) -> None:
    lasting = {pod.component for pod in pods(rendered(profile)) if pod.is_lasting}

    assert lasting - {"redis", "exchange-sim"} == set(BACKUP["STOPPED_IN_TURN"])


def test_the_pod_that_copies_may_do_nothing_else() -> None:
    pod = copying_pod()

    kubernetes_validate.validate(pod, "1.37", strict=True)
    for rule in (nobody_has_privileges, nobody_is_root, root_file_systems_are_read_only, every_container_is_limited):
        assert rule([pod]) == []
    reached = [edge for edge in permitted([*rendered("defaults"), pod]) if "copy" in {edge.source, edge.peer}]
    assert not reached
