"""The manifests for Kubernetes: valid by its schemas, and in agreement with each other."""

import pathlib
import subprocess
import sys

import pytest
import yaml

FOLDER = pathlib.Path(__file__).resolve().parent / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_schema(path):
    tool = pathlib.Path(sys.executable).with_name("kubernetes-validate")
    if not tool.exists():
        pytest.skip("kubernetes-validate is not here")
    done = subprocess.run([tool, "--strict", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_agree(path):
    by_kind = {document["kind"]: document for document in documents(path)}
    service, workload, budget = by_kind["Service"], by_kind["StatefulSet"], by_kind["PodDisruptionBudget"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    ports = {port["name"] for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_metrics_are_where_probes_and_annotations_look(path):
    (workload,) = [document for document in documents(path) if document["kind"] == "StatefulSet"]
    template = workload["spec"]["template"]
    (container,) = template["spec"]["containers"]
    (port,) = [port["containerPort"] for port in container["ports"] if port["name"] == "metrics"]
    assert container["args"][container["args"].index("-o") + 1] == f"metrics=0.0.0.0:{port}"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    for probe in container["readinessProbe"], container["livenessProbe"]:
        assert probe["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert probe["timeoutSeconds"] > 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_memory_fits(path):
    """-m, 12 MiB, 4 MiB for each shard and conn_mem_limit (256 MiB) are within the limit: docs/sizing.md."""
    (workload,) = [document for document in documents(path) if document["kind"] == "StatefulSet"]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    args = container["args"]
    limit = container["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    items, shards = int(args[args.index("-m") + 1]), int(args[args.index("-t") + 1])
    assert items + 12 + 4 * shards + 256 <= int(limit[:-2]) * 1024
