"""A person sets up a server of their own at a terminal, and the gateway sends it exactly the credential it wants."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyjson5
import pytest

from tests.cli.model_list import ModelList
from tests.e2e.certificates import Authority, server_side
from tests.e2e.guarded_model import guarded_model
from tests.e2e.terminal import READY, run, shell
from tests.e2e.test_documented_commands import activated
from tests.e2e.test_first_hour import assert_streamed, empty_environment, next_of

pytestmark = [
    pytest.mark.timeout(280),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl"),
]
PASSWORD = " pa:ss wörd-€🦉"
LOGIN = base64.b64encode(f"eule:{PASSWORD}".encode()).decode()
NEXT_LINE = "\n"
BASIC = [("Credential [bearer]: ", "basic\n"), ("User name: ", "eule\n")]
AT_ONCE = [("Credential [bearer]: ", "basic\n"), ("User name: ", "\n")]
OF_VARIABLE = [("Credential [basic]: ", "\n"), ("User name: ", "\n")]
END = [
    ("private address? [y/n]: ", "y\n"),
    ("separated by commas: ", "1\n"),
    ("the default model? [Y/n]: ", "\n"),
    ("in the same file? [Y/n]: ", "\n"),
    ("? [Y/n]: ", "\n"),
]


@pytest.mark.parametrize(
    ("header", "challenge", "environment", "answers"),
    [
        pytest.param(
            ("authorization", "Bearer owl-token-8Vn3QwZr"), "Bearer", {},
            [("Credential [bearer]: ", "\n"), ("Secret (not shown): ", "owl-token-8Vn3QwZr\n")], id="bearer",
        ),
        pytest.param(
            ("authorization", f"Basic {LOGIN}"), "Basic", {},
            [*BASIC, ("Password (not shown): ", f"{PASSWORD}\n")],
            id="basic",
        ),
        pytest.param(
            ("authorization", f"Basic {LOGIN}"), "Basic", {},
            [*AT_ONCE, ("user:password (not shown): ", f"eule:{PASSWORD}\n")],
            id="basic-at-once",
        ),
        pytest.param(
            ("authorization", f"Basic {LOGIN}"), "Basic", {"OWL_API_KEY": LOGIN},
            [*OF_VARIABLE, ("${OWL_API_KEY}]: ", "\n")], id="basic-of-a-variable",
        ),
        pytest.param(
            ("x-owl-key", "owl-token-8Vn3QwZr"), "", {},
            [("Credential [bearer]: ", "header\n"), ("Name of the header [X-Proxy-Token]: ", "X-Owl-Key\n"),
             ("Secret (not shown): ", "owl-token-8Vn3QwZr\n")], id="header",
        ),
        pytest.param(None, "", {}, [("Credential [bearer]: ", "none\n")], id="none"),
    ],
)  # fmt: skip
def test_each_kind_of_credential_from_the_wizard_to_a_response(
    tmp_path: Path,
    header: tuple[str, str] | None,
    challenge: str,
    environment: dict[str, str],
    answers: Sequence[tuple[str, str]],
) -> None:
    environment = activated(empty_environment(tmp_path / "home", **environment))
    home = Path(environment["HOME"])
    with (
        guarded_model(header, challenge) as (url, guard),
        shell(home, environment) as gateway,
        shell(home, environment) as person,
    ):
        person.type("clawgate models auth login --provider owl\n")
        pasted = f"{url.removeprefix('http://')}/v1/chat/completions\n"
        for prompt, text in [("Base URL: ", pasted), ("Dialect [", "\n"), *answers, *END]:
            person.answer(prompt, text)
        assert next_of(person.until(READY)) == "clawgate gateway start"
        assert "pa:ss" not in person.shown and "owl-token" not in person.shown and LOGIN not in person.shown
        gateway.type("clawgate gateway run\n")
        gateway.until("curl -N ")
        assert_streamed(run(person, f"curl -N {gateway.until(NEXT_LINE)}"))
        gateway.type("\x03")
        gateway.until(READY)
    assert guard.seen and all(one == ([header] if header else []) for one in guard.seen)


def test_what_is_missing_is_asked_for_and_a_wrong_password_is_told(tmp_path: Path) -> None:
    environment = activated(empty_environment(tmp_path / "home"))
    authority = Authority(tmp_path, "own")
    server = ModelList("owl-token-8Vn3QwZr", tls=server_side(authority.issue("127.0.0.1", "localhost")))
    try:
        with shell(Path(environment["HOME"]), environment) as person:
            person.type("clawgate providers add gpu-2\n")
            for prompt, text in [
                ("Base URL: ", f"{server.url}\n"),
                ("Dialect [", "\n"),
                ("Credential [bearer]: ", "basic\n"),
                ("User name: ", "me\n"),
                ("Password (not shown): ", "wrong-pw-1\n"),
                ("private address? [y/n]: ", "y\n"),
                ("is put into the config.", ""),
                ("File of the authority (PEM): ", "/nonexistent\n"),
                ("cannot be read", ""),
                ("File of the authority (PEM): ", f"{authority.file}\n"),
                ("it wants Bearer, and got Basic", ""),
                ("separated by commas: ", "qwen\n"),
                ("it wants Bearer, and got Basic", ""),
                ("next: another credential: --auth bearer", ""),
                ("What now? [edit]: ", "\n"),
                ("Base URL [", "\n"),
                ("Dialect [", "\n"),
                ("Credential [basic]: ", "bearer\n"),
                ("Secret (not shown): ", "owl-token-8Vn3QwZr\n"),
                ("private address? [Y/n]: ", "\n"),
                ("separated by commas [qwen]: ", "\n"),
                ("ok: ", ""),
                ("the default model? [Y/n]: ", "n\n"),
                ("in the same file? [Y/n]: ", "n\n"),
                ("? [Y/n]: ", "\n"),
            ]:
                person.answer(prompt, text)
            assert "Provider: gpu-2" in person.until(READY)
    finally:
        server.close()
    config = pyjson5.decode((tmp_path / "home" / ".openclaw" / "openclaw.json").read_text())
    block = config["models"]["providers"]["gpu-2"]
    assert block["request"] == {"allowPrivateNetwork": True, "tls": {"ca": authority.file.read_text()}}
    assert "wrong-pw" not in person.shown
