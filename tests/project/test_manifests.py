"""compose.yaml and the manifests for Kubernetes: valid, locked down, and of files that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings

EXPECTED = {"PersistentVolumeClaim", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}


@pytest.fixture(scope="module")
def manifests(root: Path) -> dict[str, dict[str, Any]]:
    files = [root / "deploy" / "kubernetes" / "inkling.yaml"]
    return {each["kind"]: each for file in files for each in yaml.safe_load_all(file.read_text())}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_knows_every_field(manifests: dict[str, dict[str, Any]]) -> None:
    assert set(manifests) == EXPECTED
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    broken = {**manifests["Service"], "spec": {"ports": "http"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_beside_it_fits_to_it(manifests: dict[str, dict[str, Any]], root: Path) -> None:
    folder = root / "deploy" / "kubernetes"
    found = {each["kind"]: each for file in folder.rglob("*.yaml") for each in yaml.safe_load_all(file.read_text())}
    kubernetes_validate.validate(found["Ingress"], "1.37", strict=True)
    [path] = found["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    service = manifests["Service"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert found["ServiceMonitor"]["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert found["ScaledObject"]["spec"]["scaleTargetRef"]["name"] == manifests["Deployment"]["metadata"]["name"]
    for kustomization in folder.parent.rglob("kustomization.yaml"):
        for resource in yaml.safe_load(kustomization.read_text())["resources"]:
            assert (kustomization.parent / resource).exists()
    [image] = yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    assert {each["image"] for each in pod["initContainers"] + pod["containers"]} == {f"{image['name']}:latest"}
    assert pod["volumes"][0]["name"] == "data", "the overlay for PostgreSQL replaces the first"


def test_the_service_takes_the_names_in_both(
    manifests: dict[str, dict[str, Any]], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [variable] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    compose = yaml.safe_load((root / "compose.yaml").read_text())["services"]["inkling"]["environment"]
    of_compose = compose["INKLING_ALLOWED_HOSTS"]
    for value, names in (
        (variable["value"], ("inkling", "inkling.inkling", "*.svc.cluster.local")),
        (of_compose.replace("${INKLING_ALLOWED_HOSTS:-}", ""), ("inkling",)),
        (
            of_compose.replace("${INKLING_ALLOWED_HOSTS:-}", "a.example,b.example"),
            ("inkling", "a.example", "b.example"),
        ),
    ):
        monkeypatch.setenv(variable["name"], value)
        assert Settings().allowed_hosts == names


def test_the_pod_is_locked_down(manifests: dict[str, dict[str, Any]]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    [service] = pod["containers"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(service)
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels


def test_compose_is_locked_down_and_names_files_that_are_there(root: Path) -> None:
    compose = yaml.safe_load((root / "compose.yaml").read_text())
    ours, others = {"inkling", "scheduler", "worker"}, {"postgres", "prometheus", "grafana"}
    assert set(compose["services"]) == ours | others
    for name, service in compose["services"].items():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["mem_limit"]
        assert name == "inkling" or service["healthcheck"]  # its own is in the image
        assert name in ours or re.search(r":v?\d+\.\d+", service["image"]), "a pinned tag"
        assert (name in ours) == (service.get("build") == ".") == (service["image"] == "inkling:latest")
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (root / source).exists() if source.startswith(".") else source in compose["volumes"], volume
    for secret in ("POSTGRES_PASSWORD", "GRAFANA_PASSWORD"):
        assert re.findall(rf"\$\{{{secret}(?!:\?)", (root / "compose.yaml").read_text()) == [], "no default"


def test_nobody_but_inkling_reaches_the_dask_cluster_of_compose(root: Path) -> None:
    """It has no TLS, and whoever can connect to it can run code there."""
    compose = yaml.safe_load((root / "compose.yaml").read_text())
    assert compose["networks"]["dask"] == {"internal": True}
    on_it = {name for name, service in compose["services"].items() if "dask" in service.get("networks", ())}
    assert on_it == {"inkling", "scheduler", "worker"}
    for name in ("scheduler", "worker"):
        service = compose["services"][name]
        assert service["networks"] == ["dask"] and service["profiles"] == ["cluster"]
        assert not {"ports", "volumes", "secrets", "environment"} & set(service)
