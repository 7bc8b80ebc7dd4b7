"""Renders deploy/helm and checks it against Kubernetes's schemas. Run by .venv-kubernetes's Python, it prints JSON.

What it reads from its input are values in JSON, one set a line.
"""

import json
import sys
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm"
SCHEMA_VERSION = "1.33"
WITHOUT_SCHEMA = {"ScaledObject"}  # KEDA's


def main() -> None:
    findings = helm_python.lint(str(CHART))
    problems = [message for message in findings["messages"] if message["severity"] > 1]
    rendered = []
    with helm_python.Chart.load(str(CHART)) as chart:
        for line in sys.stdin:
            manifests = chart.render(json.loads(line), name="campus", namespace="rollcall")
            objects = [each for text in manifests.values() for each in yaml.safe_load_all(text) if each]
            for each in objects:
                if each["kind"] not in WITHOUT_SCHEMA:
                    kubernetes_validate.validate(each, SCHEMA_VERSION, strict=True)
            rendered.append(objects)
    print(json.dumps({"problems": problems, "rendered": rendered}))


if __name__ == "__main__":
    main()
