"""The rules and the dashboard name metrics that Rollcall has, and each rule wakes somebody up when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from campus.operations.metrics import render_metrics
from campus.operations.models import Backup
from campus.operations.request_counts import counter
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import own_folders

__all__ = ["own_folders"]

MONITORING = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"


def promtool(*arguments: str) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    done = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_its_configuration() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_each_alert_starts_when_it_should() -> None:
    promtool("test", "rules", "alerts_test.yml")
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    tried = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    assert tried == {rule["alert"] for rule in rules}


@pytest.mark.parametrize("file", ["alerts.yml", "alerts_test.yml", "grafana.json"])
def test_every_metric_that_is_named_is_there(db, file: str) -> None:
    factories.recording(state=Recording.State.DONE, coverage=1.0, finished_at=timezone.now())
    factories.planned()
    Backup.objects.create(name="x", size=1)
    counter.add(("home", "GET", 200, "1"), 1, 0.7)
    families = text_string_to_metric_families(render_metrics().decode())
    samples = {sample.name for family in families for sample in family.samples}
    samples |= {"rollcall_schedule_lateness_seconds"}  # there are no schedules without a scheduler
    named = set(re.findall(r"\brollcall_\w+", (MONITORING / file).read_text()))
    assert named
    assert named <= samples


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _y in taken) < 24
