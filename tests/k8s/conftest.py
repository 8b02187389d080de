"""A cluster for the release: only `make e2e-k8s` uses the one that KUBECONFIG names, `make test` never does."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helm_python import Config
from release import NAME, NAMESPACE, ROOT, Release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Give a namespace of its own, and remove it with all that is in it; figures go to var/e2e-k8s.json."""
    if os.environ.get("E2E_K8S") != "yes":
        pytest.skip("this installs on a cluster: make e2e-k8s, with KUBECONFIG naming one that holds the images")
    if not (config := os.environ.get("KUBECONFIG")) or not Path(config).is_file():
        pytest.skip("KUBECONFIG names no file: set it to the configuration of the cluster to install on")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on PATH: install it to look at the cluster")
    if subprocess.run(["kubectl", "get", "--raw", "/readyz"], capture_output=True, timeout=30, check=False).returncode:
        pytest.skip(f"the cluster of {config} does not answer")
    with Config(kubeconfig_path=config, namespace=NAMESPACE) as helm:
        found = Release(helm=helm, folder=tmp_path_factory.mktemp("release"))
        yield found
        helm.uninstall(NAME, ignore_not_found=True, wait="watcher", timeout=120)
    subprocess.run(["kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found"], timeout=180, check=True)
    figures = ROOT / "var/e2e-k8s.json"
    figures.parent.mkdir(exist_ok=True)
    figures.write_text(json.dumps({name: round(value, 2) for name, value in found.figures.items()}, indent=2) + "\n")
    print(f"\n{figures}: {found.figures}")
