"""The files of `deploy/` and the Dockerfile: sound by schema and linter, and true to what the server is.

No image is built and no cluster is asked here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from threadline_server.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = DEPLOY / "compose/compose.yaml"
UNIT = DEPLOY / "systemd/threadline.service"
MANIFESTS = [path for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) if path.stem != "kustomization"]
BIN = Path(sys.executable).parent
STOP_S = Settings().stop_grace_s


def run(*command: str | Path) -> None:
    """Fails with what the command said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def resources() -> list[dict[str, Any]]:
    return [found for path in MANIFESTS for found in yaml.safe_load_all(path.read_text())]


def pods() -> list[dict[str, Any]]:
    return [found["spec"]["template"]["spec"] for found in resources() if found["kind"] == "Deployment"]


def test_the_dockerfile_passes_its_linter() -> None:
    run(BIN / "hadolint", DOCKERFILE)


def test_the_compose_file_is_one() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_what_kubernetes_takes(path: Path) -> None:
    run(BIN / "kubernetes-validate", "--strict", path)


def test_the_kustomization_names_every_manifest() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]


def test_the_unit_passes_systemd() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    done = subprocess.run([analyze, "verify", UNIT], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert all("is not executable" in line for line in complaints), complaints  # /opt/threadline is not here


def test_every_setting_that_is_named_exists() -> None:
    known = {f"THREADLINE_{name.upper()}" for name in Settings.model_fields}
    elsewhere = {"THREADLINE_COMPILE", "THREADLINE_PAGE", "THREADLINE_WORKER_AGENT", "THREADLINE_PUBLISH"}
    for path in (DOCKERFILE, *sorted(path for path in DEPLOY.rglob("*") if path.is_file())):
        named = set(re.findall(r"THREADLINE_[A-Z_]+", path.read_text()))
        assert named <= known | elsewhere, path


def test_a_probe_asks_what_the_server_answers() -> None:
    for pod in pods():
        for container in pod["containers"]:
            ports = {port["name"] for port in container.get("ports", ())}
            for name in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(name, {}).get("httpGet")
                if probe is not None:
                    assert probe["path"] == ("/readyz" if name == "readinessProbe" else "/livez")
                    assert probe["port"] in ports
    nodes = [pod for pod in pods() if pod["containers"][0]["name"] == "node"]
    assert all("readinessProbe" in pod["containers"][0] for pod in nodes)


def test_whoever_stops_a_node_waits_until_it_has_drained() -> None:
    assert all(pod["terminationGracePeriodSeconds"] > STOP_S + 10 for pod in pods())
    compose = yaml.safe_load(COMPOSE.read_text())["services"]
    for name in ("node-a", "node-b", "worker"):
        assert float(compose[name]["stop_grace_period"].removesuffix("s")) > STOP_S + 10
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert stop is not None
    assert float(stop[1]) > STOP_S + 10


def test_every_deployment_may_lose_one_pod_at_a_time() -> None:
    deployed = [found["spec"]["selector"] for found in resources() if found["kind"] == "Deployment"]
    budgets = [found["spec"] for found in resources() if found["kind"] == "PodDisruptionBudget"]
    assert [budget["selector"] for budget in budgets] == deployed
    assert all(budget["maxUnavailable"] == 1 for budget in budgets)


def test_nothing_runs_as_root_or_writes_its_root() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE.read_text(), re.MULTILINE) == ["10001:10001"]
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
    compose = yaml.safe_load(COMPOSE.read_text())["services"]
    assert all(service["read_only"] for service in compose.values())
