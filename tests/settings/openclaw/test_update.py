"""A change is read, made, judged as a whole and written; or nothing happens at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawgate.settings.atomic_write import ConcurrentModification
from clawgate.settings.json5.document import NoSuchPath
from clawgate.settings.json5.edit import EditVerificationFailed, set_value, unset_value
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.update import BringsProblems, LosesTooMuch, WriteResult, update
from clawgate.settings.problems import SettingsInvalid

GOOD = """{
  // mine
  meta: { lastTouchedVersion: "2026.9.6" },
  gateway: { mode: "local", port: 18789 },
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "openclaw.json"
    path.write_text(GOOD)
    path.chmod(0o600)
    return path


def put(path: Path, key: KeyPath, value: object) -> WriteResult:
    return update(path, {}, lambda text: set_value(text, key, value))


def test_a_change_is_written_and_told(file: Path) -> None:
    """With the name of the backup."""
    written = put(file, ("gateway", "port"), 18800)
    assert written == WriteResult(file, True, False, file.with_name("openclaw.json.bak"), ())
    assert file.read_text() == GOOD.replace("18789", "18800")


def test_no_change_writes_nothing(file: Path) -> None:
    before = file.stat().st_ino, file.stat().st_mtime_ns
    assert put(file, ("gateway", "port"), 18789) == WriteResult(file, changed=False)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before and not file.with_name(
        "openclaw.json.bak"
    ).exists()


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    """Its folder too."""
    path = tmp_path / "state" / "openclaw.json"
    written = put(path, ("gateway", "mode"), "local")
    assert written == WriteResult(path, True, True)
    assert path.read_text() == '{\n  "gateway": {\n    "mode": "local"\n  }\n}\n'


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        (("gateway", "port"), "many", "gateway.port"),
        (("gateway",), "local", "gateway"),
        (("models", "providers", "Owl", "baseUrl"), "http://127.0.0.1:1", "models.providers.Owl"),
        (("models", "providers", "owl", "baseUrl"), "nonsense", "models.providers.owl.baseUrl"),
        (("plugins", "entries", "proxy-bridge", "config", "remotUrl"), "x", "proxy-bridge.config.remotUrl"),
        (("plugins", "entries", "openai-proxy", "config", "port"), "x", "openai-proxy.config.port"),
        (("plugins", "entries", "openai-proxy", "config"), [], "openai-proxy.config"),
        (("gateway", "auth", "token"), "${NOBODY_SET_THIS}", "gateway.auth.token"),
    ],
)
def test_a_change_that_brings_a_problem_is_not_written(
    file: Path, key: KeyPath, value: object, path: str
) -> None:
    """In what is OpenClaw's and in the settings of our own roles; each problem with its key and place."""
    with pytest.raises(BringsProblems) as raised:
        put(file, key, value)
    assert any(problem.key.endswith(path) for problem in raised.value.problems)
    assert all(problem.location.startswith(f"{file}:") for problem in raised.value.problems)
    assert file.read_text() == GOOD and not file.with_name("openclaw.json.bak").exists()


@pytest.mark.parametrize("value", ["${MY_TOKEN}", "https://example.org"])
def test_what_a_role_lacks_may_come_from_elsewhere(file: Path, value: str) -> None:
    """Flags and variables are no business of the file."""
    key = "proxyToken" if "$" in value else "remoteUrl"
    assert put(file, ("plugins", "entries", "proxy-bridge", "config", key), value).remaining == ()


def test_a_file_with_problems_can_be_mended(file: Path) -> None:
    """One at a time: those that were there before are told, not held against the change."""
    file.write_text('{gateway: {port: "many", bind: "wide"}}')
    written = put(file, ("gateway", "port"), 1)
    assert [problem.key for problem in written.remaining] == ["gateway.bind"]
    assert put(file, ("gateway", "bind"), "lan").remaining == ()


def test_a_file_with_problems_cannot_be_made_worse(file: Path) -> None:
    file.write_text('{gateway: {port: "many"}}')
    with pytest.raises(BringsProblems) as raised:
        put(file, ("gateway", "bind"), "wide")
    assert [problem.key for problem in raised.value.problems] == ["gateway.bind"]


def test_a_change_that_breaks_what_stands_elsewhere_is_not_written(file: Path) -> None:
    """Also in a file that had another problem: the default model is an alias that is about to go."""
    text = '{gateway: {port: "x"}, agents: {defaults: {model: "a", models: {"o/m": {alias: "a"}}}}}'
    file.write_text(text)
    with pytest.raises(BringsProblems) as raised:
        update(file, {}, lambda text: unset_value(text, ("agents", "defaults", "models", "o/m")))
    assert all(problem.key.startswith("agents.defaults.model") for problem in raised.value.problems)
    assert file.read_text() == text


def test_a_problem_may_move(file: Path) -> None:
    """It is the same one, on another line and at another index; a second of its kind is not."""
    file.write_text('{models: {providers: {owl: {models: [{id: "a"}, {id: 1}]}}}}')
    path = ("models", "providers", "owl", "models", 0)
    written = update(file, {}, lambda text: "\n" + unset_value(text, path))
    assert [problem.key for problem in written.remaining] == ["models.providers.owl.models[0].id"]
    with pytest.raises(BringsProblems):
        put(file, ("models", "providers", "owl", "models", 1, "id"), 2)


@pytest.mark.parametrize("text", ["{gateway: ", "", "[]", "\0\0"])
def test_a_file_that_cannot_be_read_is_left_alone(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises((SettingsInvalid, ValueError)):
        put(file, ("gateway", "port"), 1)
    assert file.read_text() == text


def test_a_file_that_cannot_be_read_names_its_line(file: Path) -> None:
    file.write_text("{\n  gateway: {\n")
    with pytest.raises(SettingsInvalid, match=r"openclaw\.json:3:1"):
        put(file, ("gateway", "port"), 1)


@pytest.mark.parametrize("key", [("gateway",), ("meta",), ("gateway", "mode")])
def test_what_openclaw_needs_goes_only_when_named(file: Path, key: KeyPath) -> None:
    """By its own name."""
    with pytest.raises(LosesTooMuch, match="config unset"):
        update(file, {}, lambda text: unset_value(text, key))
    assert file.read_text() == GOOD


@pytest.mark.parametrize("key", [("meta",), ("gateway", "mode")])
def test_what_openclaw_needs_goes_when_named(file: Path, key: KeyPath) -> None:
    assert update(file, {}, lambda text: unset_value(text, key), dropped=[key]).changed


def test_a_file_does_not_halve_by_mistake(file: Path) -> None:
    """A program that meant something else writes nothing."""
    text = GOOD + "//" + "x" * 1000
    file.write_text(text)
    with pytest.raises(LosesTooMuch, match=r"from 1103 to 101 bytes"):
        update(file, {}, lambda _: GOOD)
    assert file.read_text() == text
    assert update(file, {}, lambda _: GOOD, may_shrink=True).changed


def test_a_text_that_cannot_be_read_is_never_written(file: Path) -> None:
    """Whoever made it."""
    with pytest.raises(EditVerificationFailed):
        update(file, {}, lambda text: text + "}")
    assert file.read_text() == GOOD


def test_a_change_that_fails_writes_nothing(file: Path) -> None:
    with pytest.raises(NoSuchPath):
        update(file, {}, lambda text: unset_value(text, ("nothing",)))
    assert file.read_text() == GOOD


def test_who_writes_in_the_meantime_is_not_overwritten(file: Path) -> None:
    """An editor, or OpenClaw itself, which knows nothing of our lock."""

    def change(text: str) -> str:
        file.write_text(GOOD + "// me too\n")
        return set_value(text, ("gateway", "port"), 1)

    with pytest.raises(ConcurrentModification):
        update(file, {}, change)
    assert file.read_text() == GOOD + "// me too\n"


def test_a_byte_order_mark_and_windows_lines_stay(file: Path) -> None:
    """What is compared, kept and written are the bytes."""
    data = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    file.write_bytes(data)
    put(file, ("gateway", "port"), 1)
    assert file.read_bytes() == data.replace(b"18789", b"1")
    assert file.with_name("openclaw.json.bak").read_bytes() == data


def test_no_message_shows_a_value(file: Path) -> None:
    """It may be a secret, given in the wrong place."""
    secret = "s3cret-0123456789"
    with pytest.raises(BringsProblems) as raised:
        put(file, ("gateway", "port"), secret)
    assert secret not in str(raised.value) and secret not in json.dumps(
        [str(it) for it in raised.value.problems]
    )
