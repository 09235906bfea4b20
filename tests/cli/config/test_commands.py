"""`clawgate config` reads and changes the file, prints what it did, and never prints a secret."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clawgate.processes.instance.instance_lock import Instance
from clawgate.processes.instance.run_records import ConfigReport, write_report
from tests.cli.command import command
from tests.cli.config.config_file import SECRET, TEXT, run
from tests.private_file import write_private


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["gateway.port"], "18790\n"),
        (["gateway.mode"], "local\n"),
        (["gateway.mode", "--json"], '"local"\n'),
        (["gateway.auth.token"], "__OPENCLAW_REDACTED__\n"),
        (["gateway.auth"], '{\n  "token": "__OPENCLAW_REDACTED__"\n}\n'),
        (["models.providers.owl.models[0].id"], "a\n"),
        (["models.providers.owl.models.0.id"], "a\n"),
        (['agents.defaults.models["owl/a"].alias'], "fast\n"),
        (["agents.defaults.models[owl/a].alias"], "fast\n"),
    ],
)
def test_a_value_is_shown(file: Path, arguments: list[str], shown: str) -> None:
    """Text as it is, the rest as JSON, a secret not at all."""
    found = run("get", *arguments)
    assert (found.exit_code, found.stdout, found.stderr) == (0, shown, "")


@pytest.mark.parametrize("path", ["gateway.port", "gateway"])
def test_get_rejects_a_duplicate_key(file: Path, path: str) -> None:
    """Readers differ in which of the two counts; what stands elsewhere is shown."""
    file.write_text("{\n gateway: { port: 1,\n mode: 'local', port: 2 } }")
    found = run("get", path)
    assert (found.exit_code, found.stdout) == (1, "")
    assert f"{file}:3:17: gateway.port: duplicate key, first set on line 2" in found.stderr
    assert run("get", "gateway.mode").stdout == "local\n"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("gateway.prt", "did you mean gateway.port?"),
        ("gateway.bind", "config explain 'gateway.bind'"),
        ("models.providers.owl.models[7].id", "did you mean models.providers.owl.models[0].id?"),
        ("models.providers.owll.models[0].id", "did you mean models.providers.owl.models[0].id?"),
        ("nothing.like.it", "nothing.like.it is not set in"),
    ],
)
@pytest.mark.parametrize("verb", ["get", "unset"])
def test_a_missing_key_is_an_error_with_a_hint(file: Path, verb: str, path: str, hint: str) -> None:
    """With what may have been meant."""
    found = run(verb, path)
    assert found.exit_code == 1 and hint in found.stderr and found.stdout == ""
    assert file.read_text() == TEXT


@pytest.mark.parametrize("name", ["owl2", "owl-eu", "openai", "proxy"])
def test_no_hint_leads_to_another_provider(file: Path, name: str) -> None:
    """Followed with `unset`, it would remove a setting of that one."""
    found = run("unset", f"models.providers.{name}.models[0].id")
    assert found.exit_code == 1 and "did you mean models.providers" not in found.stderr


def test_a_value_is_set(file: Path) -> None:
    """In place; the words are OpenClaw's, the backup is named."""
    found = run("set", "gateway.port", "18800")
    assert found.exit_code == 0 and found.stderr == ""
    assert found.stdout == f"Updated gateway.port. Restart the gateway to apply.\n  Backup: {file}.bak\n"
    assert file.read_text() == TEXT.replace("18790", "18800")
    assert Path(f"{file}.bak").read_text() == TEXT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gateway.port", "many"], "Config validation failed: gateway.port ("),
        (["gateway.port", "{a:", "--json-value"], "not JSON5"),
        (["gateway.port.x", "1"], "not an object"),
        (["gateway.port", "__OPENCLAW_REDACTED__"], "redaction placeholder"),
        (["gateway.port", "NaN"], "finite"),
        (["meta", "{}", "--json-value", "--config", "/dev/null/x"], "/dev/null/x"),
        (["models", "{providers:{Owl:{}}}"], "Config validation failed: models.providers.Owl ("),
        (["plugins.entries.proxy-bridge.config.remotUrl", "x"], "did you mean 'remoteUrl'?"),
        (["gateway.prot", "1"], "gateway.prot is a key of neither clawgate nor OpenClaw"),
        (["gateway.tailscal", "{}"], "did you mean 'tailscale'?"),
        (["gateway", '{mode: "local", port: 1, ports: 2}'], "gateway.ports is a key of neither"),
        (
            ["models.providers.owl.models[0].nam", "A"],
            "models.providers.owl.models[0].nam is a key of neither",
        ),
        (["models.providers.hut", '{baseUrl: "http://a.test", modles: []}'], "did you mean 'models'?"),
    ],
)
def test_what_cannot_be_set_changes_nothing(file: Path, arguments: list[str], said: str) -> None:
    """Status 1, the reason on standard error."""
    found = run("set", *arguments)
    assert found.exit_code in (1, 2) and said in found.stderr and found.stdout == ""
    assert "Traceback" not in found.output and file.read_text() == TEXT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gateway.port", '"23121"'),
        ("gateway.port", "0"),
        ("gateway.port", "65536"),
        ("gateway.port", "1.5"),
        ("gateway.portals.ingress.port", '"443"'),
        ("gateway.controlUi.enabled", '"true"'),
        ("gateway.auth.rateLimit.windowMs", '"60000"'),
        ("gateway.auth.rateLimit", '{windowMs: "60000"}'),
        ("models.providers.owl.timeoutSeconds", '"30"'),
        ("models.providers.owl.timeoutSeconds", "0.5"),
        ("models.providers.owl.models[0].contextWindow", '"128000"'),
        ("models.providers.owl.models[0].cost", '{input: "1"}'),
        ("session.maintenance.maxEntries", '"5"'),
        ("plugins.entries.proxy-bridge.config.bridgePort", '"18800"'),
        ("plugins.entries.proxy-bridge.config.verbose", '"true"'),
        ("plugins.entries.openai-proxy.config.requestsPerMinute", '"60"'),
        ("plugins.entries.anthropic-claude-proxy.config.port", '"3456"'),
    ],
)
def test_a_number_or_a_boolean_in_quotes_or_out_of_range_is_not_written(
    file: Path, path: str, value: str
) -> None:
    """The real OpenClaw would refuse its whole config for it."""
    found = run("set", path, value)
    assert found.exit_code == 1 and file.read_text() == TEXT, found.output
    assert "Config validation failed" in found.stderr and "must be" in found.stderr
    assert "Config was not changed." in found.stderr


def test_numbers_that_openclaw_rejects_are_reported(file: Path) -> None:
    """Those that clawgate reads are errors, the others warnings."""
    file.write_text(TEXT.replace("port: 18790", 'port: "23121"'))
    found = run("validate")
    assert found.exit_code == 1 and "gateway.port" in found.stderr and "not text" in found.stderr
    file.write_text(TEXT.replace("port: 18790", 'port: 1, controlUi: { enabled: "yes" }'))
    found = run("validate")
    assert found.exit_code == 0 and "gateway.controlUi.enabled" in found.stderr
    assert "must be true or false, not text; OpenClaw" in found.stderr


@pytest.mark.parametrize("arguments", [["a..b", "1"], ["", "1"], ["a"], ["a", "1", "--stdin"], []])
def test_wrong_usage_ends_with_the_usage(file: Path, arguments: list[str]) -> None:
    found = run("set", *arguments)
    assert found.exit_code == 2 and "Usage: " in found.stderr and file.read_text() == TEXT
    assert ("two arguments" in found.stderr) == (arguments == ["a"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("agents.defaults.model.fallbacks", '["nope/x"]'), "there is no provider 'nope'"),
        (("agents.defaults.model.primary", "nope/x"), "there is no provider 'nope'"),
        (("models.providers.owl.models", '[{id: "b"}, {id: "c", name: "C"}]'), None),
        (
            ("models.providers.hut", '{baseUrl: "http://a.test", models: [{id: "b"}]}'),
            "models.providers.hut.models[0].name: is missing",
        ),
    ],
)
def test_a_change_that_brings_a_warning_says_it(
    file: Path, arguments: tuple[str, str], says: str | None
) -> None:
    """Once, and no warning that the file deserved before."""
    found = run("set", *arguments)
    assert found.exit_code == 0 and found.stdout.startswith("Updated ")
    told = found.stderr.splitlines()
    assert len(told) == (says is not None) and (says or "") in found.stderr
    assert all(line.startswith("Warning: ") for line in told)


def test_validate_tells_what_does_not_serve(file: Path) -> None:
    """The file can be used, so the status is 0; a program finds the same under a key of its own."""
    file.write_text("""{
      models: {providers: {owl: {baseUrl: "http://a.test", models: [{id: "a"}]}}},
      agents: {defaults: {model: {primary: "gone/x", fallbacks: ["nope/x", "owl/a"]}}},
    }""")
    found = run("validate")
    said = [line for line in found.stderr.splitlines() if line.startswith("  warning: ")]
    assert (
        found.exit_code == 0
        and len(said) == 3
        and "config set 'models.providers.owl.models[0].name'" in said[0]
    )
    assert "'nope'" in said[1] and "'gone'" in said[2]
    assert len(json.loads(run("validate", "--json").stdout)["warnings"]) == 3


def test_a_value_is_unset(file: Path) -> None:
    found = run("unset", 'agents.defaults.models["owl/a"].alias')
    assert found.exit_code == 0
    assert found.stdout.startswith("Removed agents.defaults.models.owl/a.alias. Change will apply without")
    assert file.read_text() == TEXT.replace('{ alias: "fast" }', "{}")


def test_a_valid_file_is_called_valid(file: Path) -> None:
    found = run("validate")
    assert (found.exit_code, found.stdout) == (0, f"Config valid: {file}\n")
    assert json.loads(run("validate", "--json").stdout)["valid"] is True


@pytest.mark.parametrize(
    ("gateway", "key"),
    [
        ('auth: { mode: "password" }', "gateway.auth"),
        ('auth: { mode: "password", token: "s3cret-0123456789-abcdef" }', "gateway.auth"),
        ('bind: "lan", auth: { mode: "token" }', "gateway.auth"),
        ('bind: "lan", auth: { mode: "none" }', "gateway.auth.mode"),
        ('auth: { token: "short" }', "gateway.auth.token"),
    ],
)
def test_a_file_with_which_no_gateway_would_start_is_not_valid(file: Path, gateway: str, key: str) -> None:
    file.write_text(f'{{ gateway: {{ mode: "local", {gateway} }} }}')
    found = run("validate")
    assert found.exit_code == 1 and f"  - {key}" in found.stderr, found.output
    assert json.loads(run("validate", "--json").stdout)["valid"] is False


def test_a_token_that_the_start_makes_or_finds_elsewhere_is_not_missing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('{ gateway: { mode: "local", auth: { mode: "token" } } }')
    assert run("validate").exit_code == 0
    file.write_text('{ gateway: { mode: "local", auth: { mode: "password" } } }')
    write_private(tmp_path / ".env", f"OPENCLAW_GATEWAY_PASSWORD={SECRET}\n")
    assert run("validate").exit_code == 0


@pytest.mark.parametrize("used", [True, False])
def test_a_password_that_the_running_gateway_has_from_a_flag_is_not_missing(
    file: Path, *, used: bool
) -> None:
    """A start without that flag would still fail."""
    file.write_text('{ gateway: { mode: "local", auth: { mode: "password" } } }')
    folder = file.parent / "clawgate"
    instance = Instance.claim(folder, environment={})
    try:
        instance.announce("http://127.0.0.1:1", 1, file, None)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        write_report(folder, instance.id, ConfigReport(digest=digest, used=used))
        found = run("validate")
        assert found.exit_code == (0 if used else 1)
        text = "gateway.auth: gateway.auth.password (OPENCLAW_GATEWAY_PASSWORD) is not set"
        assert (f"without the flags of the running gateway: {text}" if used else text) in found.stderr
        write_report(folder, instance.id, ConfigReport(digest="another", used=True))
        assert run("validate").exit_code == 1
    finally:
        instance.release()


def test_validate_prints_every_problem_with_its_line(file: Path) -> None:
    """Also in the settings of our own roles."""
    file.write_text(
        '{\n gateway: {port: "x"},\n plugins: {entries: {"proxy-bridge": {config: {remotUrl: 1}}}}\n}'
    )
    found = run("validate")
    assert found.exit_code == 1 and found.stdout == ""
    assert f"gateway.port ({file}:2:" in found.stderr and f"config.remotUrl ({file}:3:" in found.stderr
    issues = json.loads(run("validate", "--json").stdout)
    assert issues["valid"] is False and len(issues["issues"]) == 2


@pytest.mark.parametrize("verb", [["get", "a"], ["unset", "a"], ["set", "channels", "1"], ["explain", "a"]])
def test_a_file_that_cannot_be_read_is_refused(file: Path, verb: list[str]) -> None:
    """Status 2, with the line."""
    file.write_text("{\n a: \n}")
    found = run(*verb)
    assert found.exit_code == 2 and f"{file}:3:1" in found.stderr and found.stdout == ""
    assert file.read_text() == "{\n a: \n}"


def test_where_no_file_is_one_is_made(file: Path) -> None:
    """For its owner alone; what is read there is not there."""
    file.unlink()
    assert run("get", "gateway.port").exit_code == 1
    assert run("validate").exit_code == 1
    assert "18789" in run("explain", "gateway.port").stdout
    assert run("set", "gateway.mode", "local").stdout.startswith("Updated gateway.mode.")
    assert file.stat().st_mode & 0o777 == 0o600


def test_config_names_the_file(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{gateway: {port: 1}}")
    assert run("get", "gateway.port", "--config", str(other)).stdout == "1\n"
    assert run("file", "--config", str(other)).stdout == f"{other}\n"
    assert run("file").stdout == f"{file}\n"
    assert run("get", "a", "--config", str(tmp_path / "none.json")).exit_code == 2


def test_the_effective_value_is_explained(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables win over the file, the file over the default."""
    assert f"from       {file}:3\n" in run("explain", "gateway.port").stdout
    monkeypatch.setenv("OPENCLAW_GATEWAY_PORT", "1234")
    found = run("explain", "gateway.port").stdout
    assert "value      1234\n" in found and "environment variable OPENCLAW_GATEWAY_PORT" in found
    assert json.loads(run("explain", "gateway.bind", "--json").stdout)["source"] == "default"
    assert SECRET not in run("explain", "gateway.auth.token").output
    assert run("explain", "gateway.nothing").exit_code == 1


def test_the_env_file_counts_for_the_roles(file: Path, tmp_path: Path) -> None:
    """And it may be named."""
    write_private(tmp_path / "my.env", f"PROXY_BRIDGE_URL=https://example.org\nPROXY_BRIDGE_TOKEN={SECRET}\n")
    key = "plugins.entries.proxy-bridge.config"
    found = run("explain", f"{key}.remoteUrl", "--env-file", "my.env").stdout
    assert "https://example.org" in found and "PROXY_BRIDGE_URL in my.env" in found
    assert SECRET not in run("explain", f"{key}.proxyToken", "--env-file", "my.env").output
    assert run("explain", f"{key}.remoteUrl", "--env-file", "none.env").exit_code == 2


def test_a_file_with_problems_can_be_explained(file: Path) -> None:
    file.write_text('{gateway: {port: "many"}}')
    found = run("explain", "gateway.port")
    assert found.exit_code == 0 and "many" in found.stdout


def test_the_schema_is_json(file: Path) -> None:
    assert "gateway" in json.loads(run("schema").stdout)["properties"]


def test_a_look_into_the_file_loads_nothing_heavy(file: Path) -> None:
    """It is typed all day, and scripts call it in loops."""
    code = (
        "import sys; from clawgate.cli.main import clawgate; "
        "clawgate(['config', 'get', 'gateway.port'], standalone_mode=False); print(*sorted(sys.modules))"
    )
    found = command(folder=file.parent, code=code, environment={"OPENCLAW_STATE_DIR": str(file.parent)})
    value, modules = found.stdout.splitlines()
    assert value == "18790" and found.stderr == ""
    assert not {"pydantic", "uvicorn", "asyncio", "starlette", "rich"} & set(modules.split())


WRONG_PLUGIN = """{
  gateway: { mode: "local" },
  plugins: { entries: {
    "anthropic-claude-proxy": { config: { prot: 3456, autoStart: true } },
    "proxy-bridge": { config: { bridgePrt: 1 } },
  } },
}
"""


def test_validate_checks_the_settings_of_plugins(file: Path) -> None:
    """Each once, where it stands, with what was meant."""
    file.write_text(WRONG_PLUGIN)
    found = run("validate")
    assert found.exit_code == 1 and found.stderr.count("is not a setting") == 2
    assert f"({file}:4:43): is not a setting; did you mean 'port'?" in found.stderr
    assert f"({file}:5:33): is not a setting; did you mean 'bridgePort'?" in found.stderr
    paths = [issue["path"] for issue in json.loads(run("validate", "--json").stdout)["issues"]]
    assert sorted(paths) == [
        "plugins.entries.anthropic-claude-proxy.config.prot", "plugins.entries.proxy-bridge.config.bridgePrt",
    ]  # fmt: skip


def test_a_setting_that_a_plugin_refuses_is_not_written(file: Path) -> None:
    text = WRONG_PLUGIN.replace("prot: 3456, ", "").replace("bridgePrt: 1", "")
    file.write_text(text)
    place = "plugins.entries.anthropic-claude-proxy.config"
    for path, value, says in (
        (f"{place}.prot", "1", "did you mean 'port'?"),
        (f"{place}.port", "x", "must be a whole number"),
        (f"{place}.command", "bunx it", "must be a list of words"),
    ):
        found = run("set", path, value)
        assert found.exit_code == 1 and says in found.stderr and file.read_text() == text
    assert run("set", f"{place}.port", "4000").exit_code == 0 and "port: 4000" in file.read_text()


KEYS_THAT_ARE_SECRETS = [
    "{gateway: {auth: {'KEY': 'token'}}}",
    "{gateway: {'KEY': 1}}",
    "{'KEY': {token: 1}}",
    "{gateway: {auth: {'KEY': 'a', 'KEY': 'b'}}}",
    "{'KEY': 1, 'KEY': 2}",
    "{models: {providers: {'KEY': {apiKey: 'owl'}}}}",
    "{models: {providers: {owl: {headers: {'KEY': 'Authorization'}}}}}",
    "{models: {providers: {owl: {headers: {'KEY x': 'Authorization'}}}}}",
    "{models: {providers: {owl: {request: {auth: {mode: 'header', 'KEY': 'value'}}}}}}",
    "{models: {providers: {owl: {models: [{id: 'a', 'KEY': 'x'}]}}}}",
    "{agents: {defaults: {models: {'KEY': {alias: 5}}}}}",
    "{plugins: {entries: {'KEY': {enabled: 1}}}}",
    "{plugins: {entries: {'openai-proxy': {config: {'KEY': 'openaiApiKey'}}}}}",
    "{plugins: {entries: {'openai-proxy': {config: {proxyTokens: {'KEY': 'alice'}}}}}}",
    "{plugins: {entries: {'proxy-bridge': {config: {'KEY': 'proxyToken'}}}}}",
    "{env: {vars: {'KEY': 5}}}",
    "{env: {vars: {'KEY': 'OPENAI_API_KEY'}}, gateway: {auth: {token: '${KEY}'}}}",
]


@pytest.mark.parametrize("text", KEYS_THAT_ARE_SECRETS)
@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    "secret", ["9f8e7d6c5b4a39281706f5e4d3c2b1a0", "sk-proj-Vx3Rk8LmQ2wZt7Yb", "Vx3Rk8LmQ2wZt7YbN5pHs4Jd"]
)
def test_validate_shows_no_secret_that_is_a_key(
    file: Path, text: str, arguments: list[str], secret: str
) -> None:
    """A name and a value given the wrong way round are located, and not shown."""
    file.write_text(text.replace("KEY", secret))
    found = run("validate", *arguments)
    assert secret not in found.output
    assert found.exception is None or isinstance(found.exception, SystemExit)


def test_validate_warns_of_a_tool_that_nothing_has(file: Path) -> None:
    file.write_text("{ tools: { deny: ['web_fech'] } }")
    found = run("validate")
    assert found.exit_code == 0
    assert "warning: tools.deny[0] " in found.stderr and "did you mean 'web_fetch'?" in found.stderr
