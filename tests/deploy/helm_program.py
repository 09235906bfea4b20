"""Lints and renders a chart, as JSON; run by a Python that has `helm-python-sdk`, `kubernetes-validate` and `pyyaml`.

    python helm_program.py lint|render CHART < values as JSON

Both are Helm's own code; what is rendered is held against the strict schemas of the oldest Kubernetes that the chart
takes and of the newest that is known.
"""

import json
import sys

import yaml  # type: ignore[import-untyped,unused-ignore]
from helm_python.chart import Chart, lint  # type: ignore[import-not-found]
from kubernetes_validate import utils as kubernetes  # type: ignore[import-not-found]

OLDEST = "1.30.0"


def main(verb: str, path: str) -> None:
    values = json.load(sys.stdin)
    if verb == "lint":
        result = lint(path, values, strict=True, kube_version=f"v{kubernetes.latest_version()}")
    else:
        chart = Chart.load(path)
        chart.validate_schema(values)
        texts = chart.render(values, name="demo", namespace="llm")
        result = [
            one
            for name, text in sorted(texts.items())
            if "NOTES" not in name
            for one in yaml.safe_load_all(text)
        ]
        result = [one for one in result if one]
        for version in (OLDEST, kubernetes.latest_version()):
            for one in result:
                kubernetes.validate(one, version, strict=True)
    sys.stdout.write(json.dumps(result))


main(*sys.argv[1:])
