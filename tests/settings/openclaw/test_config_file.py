"""A file that can be used is used whole; one that cannot is refused with every reason, its place and no secret."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.json5.file import read_json5
from clawgate.settings.openclaw.config_file import ConfigFile, read_config, validate
from clawgate.settings.problems import SettingsInvalid
from tests.private_file import write_private
from tests.settings.canary import CANARY, KEY, TOKEN
from tests.settings.refused_files import REFUSED, owl


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """An environment whose state folder is empty."""
    (tmp_path / "state").mkdir()
    return {"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path / "state")}


def read(world: dict[str, str], text: str | bytes, **variables: str) -> ConfigFile:
    path = Path(world["HOME"]) / "openclaw.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return read_config(path, world | variables, required=True)


def read_strictly(world: dict[str, str], text: str | bytes, **variables: str) -> ConfigFile:
    """As a writer does, which leaves no provider that cannot be used."""
    path = Path(world["HOME"]) / "openclaw.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    file = read_json5(path)
    assert file is not None
    return validate(file, world | variables)


def problems(world: dict[str, str], text: str | bytes, **variables: str) -> list[Diagnostic]:
    with pytest.raises(SettingsInvalid) as caught:
        read_strictly(world, text, **variables)
    for problem in caught.value.problems:
        assert CANARY not in str(problem)
        assert str(problem).isprintable()
        assert problem.location.startswith(f"{world['HOME']}/openclaw.json:")
    return caught.value.problems


FULL = """// the file of a team
{
  meta: {lastTouchedVersion: "2026.9.6"},
  gateway: {mode: "local", port: 0x4965, auth: {mode: "token", token: "${GATE}"}, controlUi: {enabled: false}},
  models: {mode: "replace", providers: {
    owl: {
      baseUrl: "http://10.0.0.5:8080/v1", apiKey: {source: "env", provider: "default", id: "OWL"},
      headers: {"X-Team": "a b"}, request: {allowPrivateNetwork: true},
      models: [{id: "m", name: "M", cost: {input: 0}, contextWindow: 32000}],
    },
    gem: {baseUrl: "https://example.com", api: "google-generative-ai", models: []},
  }},
  agents: {defaults: {model: "owl/m", models: {"owl/m": {alias: "fast"}}}, entries: {main: {model: "fast"}}},
  plugins: {entries: {"proxy-bridge": {config: {proxyToken: "canary-plugin-9Xw"}}}},
  env: {vars: {FROM_FILE: "canary-env-8Qm2"}},
}
"""


def test_a_file_is_read_whole(world: dict[str, str]) -> None:
    file = read(world, FULL, GATE=TOKEN, OWL=KEY)
    assert file.text == FULL and file.digest == hashlib.sha256(FULL.encode()).hexdigest()
    assert file.config.gateway.port == 0x4965
    provider = file.config.models.providers["owl"]
    assert provider.api_key is not None and provider.api_key.get_secret_value() == KEY
    assert str(provider.base_url) == "http://10.0.0.5:8080/v1" and provider.request.allow_private_network
    assert file.config.agents.defaults.model.primary == "owl/m"
    assert file.unset == {}


def test_raw_is_what_stands_in_the_file(world: dict[str, str]) -> None:
    assert read(world, FULL, GATE=TOKEN, OWL=KEY).raw["gateway"]["auth"]["token"] == "${GATE}"


def test_every_value_has_an_origin(world: dict[str, str]) -> None:
    origins = read(world, FULL, GATE=TOKEN, OWL=KEY).origins
    assert origins["gateway.port"] == "openclaw.json:4"
    assert origins["models.providers.owl.models[0].id"] == "openclaw.json:9"


def test_every_secret_is_known_and_none_is_in_repr(world: dict[str, str]) -> None:
    file = read(world, FULL, GATE=TOKEN, OWL=KEY)
    assert {TOKEN, KEY, "canary-plugin-9Xw", "canary-env-8Qm2"} <= set(file.secrets())
    assert CANARY not in repr(file)


def test_parts_of_a_secret_are_secrets(world: dict[str, str]) -> None:
    text = owl(
        "headers: {Authorization: 'Basic Y2FuYXJ5'}, "
        "request: {proxy: {mode: 'explicit-proxy', url: 'http://me:canary-pw@proxy:3128'}}"
    )
    assert {"Y2FuYXJ5", "canary-pw", "me:canary-pw"} <= set(read(world, text).secrets())


# A file that is not there


def test_a_missing_file_gives_the_defaults_unless_it_is_required(
    world: dict[str, str], tmp_path: Path
) -> None:
    file = read_config(tmp_path / "none.json", world, required=False)
    assert (file.text, file.digest, file.raw, file.origins, file.secrets()) == ("", "", {}, {}, ())
    assert file.config.gateway.port == 18789
    with pytest.raises(SettingsInvalid, match="does not exist"):
        read_config(tmp_path / "none.json", world, required=True)


def test_a_folder_in_its_place_is_refused_also_where_it_may_be_missing(
    world: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(SettingsInvalid, match="Is a directory"):
        read_config(tmp_path, world, required=False)


# References


@pytest.mark.parametrize(
    ("inside", "path", "name"),
    [
        ("apiKey: '${NONE}'", "apiKey", "NONE"),
        ("apiKey: {source: 'env', provider: 'default', id: 'NONE'}", "apiKey", "NONE"),
        ("baseUrl: '${NONE}/v1'", "baseUrl", "NONE"),
        ("headers: {'X-A': 'Basic ${NONE}'}", "headers.X-A", "NONE"),
        (
            "request: {auth: {mode: 'header', headerName: 'X-A', value: '${NONE}'}}",
            "request.auth.value",
            "NONE",
        ),
        ("request: {auth: {mode: 'authorization-bearer', token: '${NONE}'}}", "request.auth.token", "NONE"),
        ("request: {tls: {key: '${NONE}'}}", "request.tls.key", "NONE"),
        ("apiKey: {source: 'exec', provider: 'vault', id: 'a/b'}", "apiKey", "exec:vault"),
        ("apiKey: '${EMPTY}'", "apiKey", "EMPTY"),
    ],
)
def test_a_provider_whose_variable_is_not_set_is_without_it_and_the_others_work(
    world: dict[str, str], inside: str, path: str, name: str
) -> None:
    text = "{models: {providers: {owl: {" + inside + "}, two: {apiKey: '${SET}'}}}}"
    file = read(world, text, SET=KEY, EMPTY="")
    assert file.unset == {f"models.providers.owl.{path}": name}
    provider = file.config.models.providers["owl"]
    assert provider.api_key is None and provider.base_url is None and provider.headers == {}
    two = file.config.models.providers["two"].api_key
    assert two is not None and two.get_secret_value() == KEY


@pytest.mark.parametrize("key", ["token", "password"])
@pytest.mark.parametrize(
    "value", ["'${NONE}'", "{source: 'env', provider: 'default', id: 'NONE'}", "'${EMPTY}'"]
)
def test_nobody_comes_in_with_a_secret_that_is_not_set(world: dict[str, str], key: str, value: str) -> None:
    (problem,) = problems(world, "{gateway: {auth: {" + key + ": " + value + "}}}", EMPTY="")
    assert problem.key == f"gateway.auth.{key}" and "is not set" in problem.text


def test_a_secret_of_the_gateway_that_is_kept_elsewhere_is_a_problem(world: dict[str, str]) -> None:
    (problem,) = problems(world, "{gateway: {auth: {token: {source: 'file', provider: 'f', id: '/x'}}}}")
    assert "source 'file'" in problem.text


def test_a_variable_of_a_plugin_that_is_not_set_is_told_and_left_as_it_stands(world: dict[str, str]) -> None:
    file = read(world, "{plugins: {entries: {x: {config: {a: '${NONE}', b: '${SET}'}}}}}", SET="1")
    assert file.config.plugins.entries["x"].config == {"a": "${NONE}", "b": "1"}
    assert file.unset == {"plugins.entries.x.config.a": "NONE"}


def test_what_looks_like_a_reference_outside_the_gateway_is_a_note(world: dict[str, str]) -> None:
    file = read(world, "{agents: {entries: {main: {prompt: 'say ${my name}'}}}}")
    assert any("agents.entries.main.prompt" in note.key for note in file.notes)


def test_a_reference_with_two_dollars_is_plain_text(world: dict[str, str]) -> None:
    file = read(world, "{agents: {entries: {main: {description: '$${HOME}'}}}}")
    assert file.config.agents.entries["main"].description == "${HOME}"


@pytest.mark.parametrize(
    "model", ["5", "[]", "true", "{primary: 5}", "{fallbacks: 'a/b'}", "{fallbacks: [5]}"]
)
@pytest.mark.parametrize("place", ["entries: {main: {model: %s}}", "list: [{id: 'main', model: %s}]"])
def test_an_agents_model_of_a_wrong_type(world: dict[str, str], place: str, model: str) -> None:
    (problem,) = problems(world, "{agents: {" + place % model + "}}")
    assert problem.text.startswith("must be ")


# Where variables come from


def test_the_process_wins_then_the_state_folder_then_the_file(world: dict[str, str], tmp_path: Path) -> None:
    write_private(tmp_path / "state" / ".env", "A=state\nB=state\n")
    file = read(world, "{env: {vars: {A: 'file', B: 'file', C: 'file'}}}", A="process")
    assert [file.environment[name] for name in "ABC"] == ["process", "state", "file"]


def test_the_state_folder_does_bring_credentials(world: dict[str, str], tmp_path: Path) -> None:
    write_private(tmp_path / "state" / ".env", f"OWL_API_KEY={KEY}\n")
    key = read(world, owl("apiKey: '${OWL_API_KEY}'")).config.models.providers["owl"].api_key
    assert key is not None and key.get_secret_value() == KEY


def test_an_empty_variable_hides_no_other(world: dict[str, str], tmp_path: Path) -> None:
    write_private(tmp_path / "state" / ".env", "A=state\n")
    assert read(world, "{}", A="").environment["A"] == "state"


@pytest.mark.parametrize("content", [b"A=\xff\n", None])
def test_an_env_file_that_cannot_be_read_is_a_problem_with_its_name(
    world: dict[str, str], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "state" / ".env"
    if content is None:
        path.mkdir()
    else:
        write_private(path, content)
    with pytest.raises(SettingsInvalid) as caught:
        read(world, "{}")
    (problem,) = caught.value.problems
    assert problem.location == str(path)


# Notes


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606])
def test_a_file_that_others_may_read_is_noted_with_the_way_out(world: dict[str, str], mode: int) -> None:
    read(world, "{}")
    path = Path(world["HOME"]) / "openclaw.json"
    path.chmod(mode)
    (note,) = read_config(path, world, required=True).notes
    assert f"mode {mode:04o}" in note.message and f"chmod 600 {path}" in note.fix


def test_what_openclaw_owns_is_one_line_a_block(world: dict[str, str]) -> None:
    file = read(world, "{meta: {}, channels: {x: {}}, gateway: {tailscale: {}, reload: {}}}")
    assert list(map(str, file.notes)) == [
        "OpenClaw's own, not read: meta, channels",
        "gateway: OpenClaw's own, not read: tailscale, reload",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{agents: {defaults: {approveTools: ['a']}}}", "no call would wait for approval"),
        ("{plugins: {entries: {clawgate: {agents: {}}}}}", "put it into plugins.entries.clawgate.config"),
        ("{plugins: {entries: {clawgate: {confg: {}}}}}", "did you mean 'config'?"),
    ],
)
def test_our_own_setting_in_a_wrong_place_is_an_error(world: dict[str, str], text: str, error: str) -> None:
    (problem,) = problems(world, text)
    assert error in str(problem)


@pytest.mark.parametrize(
    "key",
    [
        "approve",
        "approval",
        "approvals",
        "approveTools",
        "approve_tools",
        "APPROVE-TOOLS",
        "approvetools",
        "requireApproval",
        "require_approval",
        "needsApproval",
        "toolApproval",
        "confirm",
        "askUser",
        "ask",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "{tools: {KEY: ['a']}}",
        "{tools: {web: {fetch: {KEY: true}}}}",
        "{tools: {novel: {KEY: true}}}",
        "{agents: {defaults: {KEY: []}}}",
        "{agents: {defaults: {tools: {web_fetch: {KEY: true}}}}}",
        "{agents: {entries: {main: {KEY: {}}}}}",
        "{agents: {list: [{id: 'main', tools: {KEY: 1}}]}}",
        "{mcp: {servers: {docs: {command: 'x', KEY: 'always'}}}}",
        "{plugins: {entries: {clawgate: {KEY: true}}}}",
        "{plugins: {entries: {clawgate: {config: {KEY: true}}}}}",
        "{plugins: {entries: {clawgate: {config: {mcp: {servers: {docs: {KEY: true}}}}}}}}",
        "{plugins: {entries: {clawgate: {config: {agents: {main: {KEY: ['a']}}}}}}}",
    ],
)
def test_no_call_runs_unapproved_for_the_spelling_of_a_key(
    world: dict[str, str], key: str, place: str
) -> None:
    if place.startswith("{plugins: {entries: {clawgate: {config: {agents") and key == "approveTools":
        return
    assert any(key in str(problem) for problem in problems(world, place.replace("KEY", f"'{key}'")))


@pytest.mark.parametrize(
    "text",
    [
        "{approvals: {exec: {}}}",
        "{tools: {exec: {ask: 'always'}}}",
        "{gateway: {auth: {trustedProxy: {userHeader: 'x', deviceAutoApprove: true}}}}",
        "{mcp: {servers: {docs: {command: 'x', autoApprove: ['a']}}}}",
        "{gateway: {novelty: {confirmReload: 1}}}",
    ],
)
def test_what_is_not_meant_for_our_approvals_is_no_problem(world: dict[str, str], text: str) -> None:
    assert read(world, text).text == text


@pytest.mark.parametrize("key", ["max_turns", "maxturns", "max-turns"])
def test_a_key_of_ours_counts_as_it_is_documented_alone(world: dict[str, str], key: str) -> None:
    text = f"{{plugins: {{entries: {{clawgate: {{config: {{agents: {{defaults: {{'{key}': 2}}}}}}}}}}}}}}"
    (problem,) = problems(world, text)
    assert "did you mean 'maxTurns'?" in str(problem)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            owl("baseUrl: 'http://a', baseURL: 'http://b'"),
            r"owl.baseURL .*: is not read, 'baseUrl' beside it is;",
        ),
        ("{gateway: {tailscal: {}}}", r"gateway.tailscal .*: is not read; .* did you mean 'tailscale'"),
        ("{gateway: {novelty: 1}}", r"gateway.novelty .*: is not a key"),
        (owl("models: [{id: 'a', name: 'A'}, {id: 'b'}]"), r"owl.models\[1\].name .*: is missing"),
    ],
)
def test_what_openclaw_would_refuse_is_a_warning(world: dict[str, str], text: str, warning: str) -> None:
    """Clawgate can do its work with it, so it is no problem; one file is meant to serve both, so it is no note."""
    file = read(world, text)
    (found,) = file.warnings
    assert re.search(warning, str(found)) and "rejects its whole config" in found.message and file.notes == []
    assert found.location.startswith(f"{file.path}:1:")


def test_a_slip_of_two_letters_that_changed_places_is_a_problem(world: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match=r"gateway\.prot .* did you mean 'port'\?"):
        read(world, "{gateway: {prot: 1}}")


def test_what_openclaw_brings_in_for_itself_is_its_own(world: dict[str, str]) -> None:
    assert read(world, "{channels: {$include: './c.json5'}}").config.gateway.port == 18789


# Refusals


@pytest.mark.parametrize(
    ("text", "path", "line", "says"), REFUSED, ids=[str(number) for number in range(len(REFUSED))]
)
def test_what_cannot_be_used_is_refused_with_line_and_key_and_no_secret(
    world: dict[str, str], text: str | bytes, path: str, line: int, says: str
) -> None:
    (problem,) = problems(world, text)
    assert problem.key == path
    assert problem.location.removeprefix(f"{world['HOME']}/openclaw.json:").split(":")[0] == str(line)
    assert says in problem.text


def test_there_are_many_ways_to_be_refused() -> None:
    """The bar of the project for files; the states that a path can be in are tried with `json5_file`."""
    assert len(REFUSED) >= 70


def test_all_problems_are_told_at_once_in_the_order_of_the_file(world: dict[str, str]) -> None:
    text = """{
      gateway: {port: "x", auth: {token: "${NONE}"}, bnd: 1},
      models: {providers: {Owl: {apiKey: "***", models: [{id: 1}]}, b: {baseUrl: "x"}}},
      agents: {defaults: {model: {fallbacks: ["x"]}}},
      tools: 1, tools: {},
    }"""
    found = problems(world, text)
    assert [(problem.key, problem.location.split(":")[1]) for problem in found] == [
        ("gateway.port", "2"),
        ("gateway.auth.token", "2"),
        ("gateway.bnd", "2"),
        ("models.providers.Owl", "3"),
        ("models.providers.Owl.apiKey", "3"),
        ("models.providers.Owl.models[0].id", "3"),
        ("models.providers.b.baseUrl", "3"),
        ("agents.defaults.model.fallbacks[0]", "4"),
        ("tools", "5"),
    ]


def test_a_file_with_thousands_of_problems_tells_a_hundred_and_counts_the_rest(world: dict[str, str]) -> None:
    text = "{models: {providers: {" + ",".join(f"P{number}: {{}}" for number in range(5000)) + "}}}"
    with pytest.raises(SettingsInvalid) as caught:
        read_strictly(world, text)
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].message == "and 4900 more problems"


def test_keys_are_taken_by_openclaws_names_alone(world: dict[str, str]) -> None:
    """`custom_bind_host` is how we call it. It is found as a slip, but not behind a thousand unknown keys."""
    text = "{" + ",".join(f"k{number}: 1" for number in range(1000)) + ", gateway: {custom_bind_host: '::'}}"
    assert read(world, text).config.gateway.custom_bind_host is None
