"""The chart: what it makes is valid, does all jobs, and may do nothing else."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_deploy import DEPLOY, QUEUES, check_command, queues, release_steps
from tests.deploy.test_monitoring import MONITORING

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-kubernetes" / "bin" / "python"
DEFAULTS: dict[str, Any] = {}
SCALED = {
    "autoscaling": {"enabled": True},
    "workers": {"vision-gpu": {"replicas": 2}},
    "ingress": {"enabled": False},
    "settings": {
        "ROLLCALL_ALLOWED_HOSTS": "one.example.org,two.example.org",
        "ROLLCALL_INSTITUTION": 'The "Tech": a #1',
    },
}
IN_S3 = {
    "storage": "s3",
    "settings": {"ROLLCALL_STORAGE_URL": "s3://rollcall/main"},
    "web": {"transfers": {"replicas": 1}},
}
ON_WEB_SERVER = {"storage": "web"}
ALL = {"defaults": DEFAULTS, "scaled": SCALED, "in S3": IN_S3, "on the web server": ON_WEB_SERVER}
INTERNAL = {"quick", "release", "scheduler", "sweeper", "vision", "vision-gpu"}
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def charts() -> dict[str, list[Manifest]]:
    if not PYTHON.exists():
        pytest.skip("Helm is not installed (make .venv-kubernetes/ready)")
    lines = "\n".join(json.dumps(values) for values in ALL.values())
    done = subprocess.run(
        [PYTHON, "-m", "tests.deploy.render_chart"], cwd=ROOT, input=lines, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["problems"] == []
    return dict(zip(ALL, output["rendered"], strict=True))


@pytest.fixture(params=ALL)
def chart(request: pytest.FixtureRequest, charts: dict[str, list[Manifest]]) -> list[Manifest]:
    return charts[request.param]


def of_kind(chart: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in chart if manifest["kind"] in kinds]


def pods(chart: list[Manifest]) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(chart, "Deployment", "Job")}


def selects(selector: Manifest, pod: Manifest) -> bool:
    labels = pod["metadata"]["labels"]
    wanted = {key: [value] for key, value in selector.get("matchLabels", {}).items()}
    wanted |= {each["key"]: each["values"] for each in selector.get("matchExpressions", [])}
    return all(labels.get(key) in values for key, values in wanted.items())


def test_a_pod_has_no_rights_and_limits(chart: list[Manifest]) -> None:
    for name, pod in pods(chart).items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}


def measured_megabytes() -> dict[str, float]:
    """What each component took, by the table of deploy/README.md."""
    header, megabytes = re.findall(
        r"^\| (?:MB of memory )?\| (.*) \|$", (DEPLOY / "README.md").read_text(), re.MULTILINE
    )
    values = (float(cell.replace(",", "")) for cell in megabytes.split(" | "))
    return {f"campus-{name}": value for name, value in zip(header.split(" | "), values, strict=True)}


def test_a_pod_asks_for_what_was_measured_and_may_take_twice_as_much(chart: list[Manifest]) -> None:
    units = {"Mi": 1024**2, "Gi": 1024**3}
    chosen = pods(chart)
    for name, megabytes in measured_megabytes().items():
        resources = chosen[name]["spec"]["containers"][0]["resources"]
        asked, most = (
            int(resources[key]["memory"][:-2]) * units[resources[key]["memory"][-2:]] for key in ("requests", "limits")
        )
        assert asked >= megabytes * 1e6, name
        assert most >= 2 * megabytes * 1e6, name


def test_no_secret_is_in_it(chart: list[Manifest]) -> None:
    assert not of_kind(chart, "Secret")
    for pod in pods(chart).values():
        container = pod["spec"]["containers"][0]
        assert container["envFrom"] == [{"secretRef": {"name": "rollcall"}}]
        names = {each["name"] for each in container["env"]}
        assert not names & {"ROLLCALL_SECRET_KEY", "ROLLCALL_ENCRYPTION_KEYS", "ROLLCALL_DATABASE_URL"}


def test_its_commands_exist_and_take_every_queue(chart: list[Manifest]) -> None:
    commands = [pod["spec"]["containers"][0]["command"] for pod in pods(chart).values()]
    for command in commands:
        if command[0] == "python":
            check_command(command)
    assert set().union(*map(queues, commands)) == QUEUES
    assert [queues(command) for command in commands if "sweep" in queues(command)] == [{"sweep"}]
    assert sum("beat" in command for command in commands) == 1
    release = next(command[2] for command in commands if command[0] == "sh")
    assert release_steps(release) == release_steps((DEPLOY / "systemd" / "rollcall-release.service").read_text())


def test_services_budgets_and_policies_select_pods(chart: list[Manifest]) -> None:
    deployments = {name: pod for name, pod in pods(chart).items() if name != "campus-release"}
    for budget in of_kind(chart, "PodDisruptionBudget"):
        chosen = [name for name, pod in deployments.items() if selects(budget["spec"]["selector"], pod)]
        assert chosen == [budget["metadata"]["name"]]
    assert len(of_kind(chart, "PodDisruptionBudget")) == len(deployments)
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(chart, "Service")}
    for service, spec in services.items():
        selected = [name for name, pod in deployments.items() if selects({"matchLabels": spec["selector"]}, pod)]
        assert selected == ([] if service == "campus-nobody" else [service])
    for deployment in of_kind(chart, "Deployment"):
        assert selects(deployment["spec"]["selector"], deployment["spec"]["template"])
    for ingress in of_kind(chart, "Ingress"):
        paths = {
            each["path"]: each["backend"]["service"]["name"] for each in ingress["spec"]["rules"][0]["http"]["paths"]
        }
        assert set(paths.values()) == services.keys()
        assert (paths["/internal"], paths["/"]) == ("campus-nobody", "campus-web")


def test_only_web_servers_are_reached_and_vision_reaches_nobody_outside(chart: list[Manifest]) -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind(chart, "NetworkPolicy")}
    for name, pod in pods(chart).items():
        assert selects(policies["campus"]["podSelector"], pod)
        is_web = selects(policies["campus-web"]["podSelector"], pod)
        assert is_web == (name in {"campus-web", "campus-transfers"})
        is_internal = selects(policies["campus-internal"]["podSelector"], pod)
        assert is_internal == (name.removeprefix("campus-") in INTERNAL)
    assert "ingress" not in policies["campus"]


def test_web_servers_and_workers_are_probed(chart: list[Manifest]) -> None:
    for name, pod in pods(chart).items():
        container = pod["spec"]["containers"][0]
        if name in {"campus-web", "campus-transfers"}:
            probes = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
            assert [probe["path"] for probe in probes] == ["/livez", "/readyz"]
            host = {each["name"]: each["value"] for each in container["env"]}["ROLLCALL_ALLOWED_HOSTS"].split(",")[0]
            assert probes[1]["httpHeaders"] == [{"name": "Host", "value": host}]
        elif "-Q" in container["command"]:
            assert "inspect ping" in container["livenessProbe"]["exec"]["command"][2]
        assert pod["spec"]["terminationGracePeriodSeconds"] >= 60


def test_pods_are_as_many_as_waiting_and_running_jobs_need(charts: dict[str, list[Manifest]]) -> None:
    assert not of_kind(charts["defaults"], "ScaledObject")
    (scaled,) = of_kind(charts["scaled"], "ScaledObject")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    known = set(re.findall(r"\brollcall_\w+", (MONITORING / "grafana.json").read_text()))
    assert {"rollcall_jobs_waiting", "rollcall_jobs_running"} == set(re.findall(r"\brollcall_\w+", query)) <= known
    assert set(re.findall(r'queue=~"([^"]+)"', query)) == {"vision"} <= QUEUES
    deployments = {each["metadata"]["name"]: each["spec"] for each in of_kind(charts["scaled"], "Deployment")}
    assert "replicas" not in deployments[scaled["spec"]["scaleTargetRef"]["name"]], "an upgrade would set it back"


def test_a_pod_with_a_gpu(charts: dict[str, list[Manifest]]) -> None:
    pod = pods(charts["scaled"])["campus-vision-gpu"]["spec"]["containers"][0]
    assert pod["image"] == "rollcall-gpu:latest"
    assert pod["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["command"][-2:] == ["-c", "1"]


def test_the_release_comes_before_the_pods(chart: list[Manifest]) -> None:
    (job,) = of_kind(chart, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade,pre-rollback"


def data_of(pod: Manifest) -> str:
    """Which claim, or which kind of volume, its data folder is."""
    (data,) = [each for each in pod["spec"]["volumes"] if each["name"] == "data"]
    return data.get("persistentVolumeClaim", {}).get("claimName") or "own"


def environment_of(pod: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}


def test_in_s3_no_pod_shares_a_volume_and_web_servers_make_their_static_files(
    charts: dict[str, list[Manifest]],
) -> None:
    assert {data_of(pod) for pod in pods(charts["defaults"]).values()} == {"rollcall"}
    chart = pods(charts["in S3"])
    assert {data_of(pod) for pod in chart.values()} == {"own"}
    assert {environment_of(pod)["ROLLCALL_STORAGE_URL"] for pod in chart.values()} == {"s3://rollcall/main"}
    prepared = {name for name, pod in chart.items() if "initContainers" in pod["spec"]}
    assert prepared == {"campus-web", "campus-transfers"}


def test_on_the_web_server_only_workers_ask_for_files_and_may(charts: dict[str, list[Manifest]]) -> None:
    chart = pods(charts["on the web server"])
    keepers = {name for name, pod in chart.items() if data_of(pod) == "rollcall"}
    assert keepers == {"campus-web", "campus-transfers", "campus-release", "campus-worker"}
    for name, pod in chart.items():
        environment = environment_of(pod)
        assert environment.get("ROLLCALL_STORAGE_URL") == (None if name in keepers else "http://campus-transfers")
        (term,) = (
            pod["spec"]
            .get("affinity", {})
            .get("podAffinity", {})
            .get("requiredDuringSchedulingIgnoredDuringExecution", [{}])
        )
        assert bool(term) == (name in keepers)
        assert not term or selects(term["labelSelector"], pod), "its volume is reached from one machine alone"
        assert environment["ROLLCALL_ALLOWED_HOSTS"] == "attendance.example.org,campus-transfers"
    policies = {
        policy["metadata"]["name"]: policy["spec"] for policy in of_kind(charts["on the web server"], "NetworkPolicy")
    }
    (rule,) = policies["campus-web"]["ingress"]
    allowed = [each["podSelector"] for each in rule["from"] if "podSelector" in each]
    assert all(any(selects(selector, pod) for selector in allowed) for pod in chart.values())
