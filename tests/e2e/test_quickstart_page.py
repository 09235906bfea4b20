"""Each command of docs/quickstart.md works as it is written, in one shell, on an empty home folder.

Only ports are replaced, and the packages that pip would fetch are those of this environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping

import pytest

from tests.e2e.processes import ROOT
from tests.e2e.test_documented_commands import GATEWAY, blocks
from tests.e2e.test_first_hour import VENV, empty_environment, stop_gateway
from tests.ports import free_port

pytestmark = [
    pytest.mark.timeout(280),  # pip builds a package
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl"),
]

PAGE = "docs/quickstart.md"
SECTIONS = re.findall(r"^## (.*)$", (ROOT / PAGE).read_text(), flags=re.MULTILINE)
BLOCK = "\x1e"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What the commands of each section printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    environment = empty_environment(
        folder / "home",
        # pip installs this clone into a new environment without an index
        PIP_NO_INDEX="1", PIP_NO_DEPS="1", PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1",
        PYTHONPATH=os.pathsep.join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}),
        PATH=f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin",
    )  # fmt: skip
    clone = folder / "clone"
    for name in ("src", "demo"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    port = str(free_port())
    parts = {section: "".join(blocks(PAGE, section, "sh")) for section in SECTIONS}
    script = "".join(f"{text}\nprintf '%s' '{BLOCK}'\n" for text in parts.values())
    script = script.replace(GATEWAY, f"http://127.0.0.1:{environment['OPENCLAW_GATEWAY_PORT']}")
    script = f"trap 'kill $MODEL 2>/dev/null || true' EXIT\n{script.replace('8000', port)}"
    script = script.replace("\nclawgate doctor\n", "\nclawgate doctor || [ $? = 1 ]\n")  # as the page says
    # The model needs a moment to listen; a person takes it to read on.
    script = script.replace("MODEL=$!\n", "MODEL=$!\nuntil grep -q listening model.log; do sleep 0.1; done\n")
    try:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            env=environment, cwd=clone, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=270,
            check=False,
        )  # fmt: skip
    finally:
        stop_gateway(environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(parts, done.stdout.split(BLOCK), strict=False))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("Install", r"\nclawgate \d+\.\d+"),
        ("Add a provider", r"Default model set to demo/gpt-4o-mini\n"),
        ("Start the gateway", r"Gateway started: .*\nModels: ok\n"),
        ("Send a request", r'data: \[DONE\]\n\n\{"id".*"type":\s?"message"'),
        ("See where a request goes", r"allowed by models.providers.demo.request.allowPrivateNetwork"),
        ("Talk with an agent", r"agent:main:main"),
        ("See it fail", r'"code":"provider_unavailable".*demo cannot serve'),
        ("Stop, and clean up", r"Gateway stopped"),
    ],
)
def test_a_section_shows_what_the_page_says(shown: Mapping[str, str], section: str, expected: str) -> None:
    assert re.search(expected, shown[section], flags=re.DOTALL), shown[section]


def test_a_section_with_commands_is_not_left_out(shown: Mapping[str, str]) -> None:
    assert [one for one in shown if one][: len(SECTIONS)] == SECTIONS
