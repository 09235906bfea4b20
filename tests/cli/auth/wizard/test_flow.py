"""Prompt, test, show, confirm, write: an abort at any point leaves the file byte for byte as it was."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from clawgate.cli.auth.wizard.answers import InvalidAnswer, MissingAnswer
from clawgate.cli.auth.wizard.flow import (
    SignInContext,
    SignInFailed,
    SignInOptions,
    SignInResult,
    check_answers,
    sign_in,
    sign_out,
)
from clawgate.cli.auth.wizard.prompter import Aborted, Declined, Prompter
from clawgate.cli.auth.wizard.targets import ProviderTarget
from clawgate.cli.context import load_config
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult
from clawgate.plugins.api.questions import Answers, Question
from clawgate.settings.problems import SettingsInvalid
from tests.cli.auth.wizard.scripted import ANSWERS, EVERY_KIND, SECRET, Kit, Scripted
from tests.cli.catalogs import alone

TEXT = """\
{
  // mine
  gateway: { mode: "local", auth: { token: "canary-gateway-token-9f8e7d" } },
  models: { providers: { owl: { baseUrl: "https://owl.test/v1", models: [], apiKey: "canary-owl-key" } } },
  agents: { defaults: { model: { primary: "owl/a", fallbacks: ["owl/b"] } } },
}
"""
BAD = CheckResult(ok=False, message="nobody listens there", next_step="start it")
TYPED = [text if text != "yes" else "y" for text in ANSWERS.values()]


class Stand:
    """A config file, and a context that keeps everything that is shown."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "openclaw.json"
        self.path.write_text(TEXT)
        self.path.chmod(0o600)
        self.shown: list[str] = []

    def context(self, prompter: Prompter | None) -> SignInContext:
        keep = self.shown.append
        return SignInContext(
            loaded=load_config(str(self.path)), prompter=prompter, show=keep, show_diff=keep, warn=keep
        )

    def sign_in(self, kit: Kit, prompter: Prompter | None = None, **options: Any) -> SignInResult:
        return sign_in(ProviderTarget(kit, "kit"), SignInOptions(**options), self.context(prompter))

    def read(self) -> Any:
        return pyjson5.decode(self.path.read_text())

    def is_untouched(self) -> bool:
        alone_there = [entry.name for entry in self.path.parent.iterdir()] == [self.path.name]
        return alone_there and self.path.read_text() == TEXT


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    alone(tmp_path, monkeypatch)
    return Stand(tmp_path)


def test_flags_are_enough(stand: Stand) -> None:
    kit = Kit()
    done = stand.sign_in(kit, flags=ANSWERS)
    found = stand.read()
    assert dict(kit.tried[0]) == ANSWERS and done.provider == "kit" and not done.is_default
    assert found["plugins"]["entries"]["kit"] == {"enabled": True, "config": ANSWERS}
    assert found["agents"]["defaults"]["model"] == {"primary": "owl/a", "fallbacks": ["owl/b"]}
    assert found["agents"]["defaults"]["models"] == {"kit/one": {"alias": "kitty"}}
    assert "// mine" in stand.path.read_text() and "// mine" in Path(f"{stand.path}.bak").read_text()


def test_the_change_is_shown_and_confirmed_after_the_prompts(stand: Stand) -> None:
    person = Scripted(*TYPED, "y")
    done = stand.sign_in(Kit(), person)
    assert done.written is not None and done.written.changed and person.answers == []
    assert person.shown[-1] == f"Write this to {stand.path}? [y]"
    assert any(line.startswith("+") and "kit" in line for line in stand.shown)


def test_no_secret_is_shown(stand: Stand) -> None:
    person = Scripted(*TYPED, "y")
    stand.sign_in(Kit(), person)
    assert SECRET in stand.path.read_text()
    assert "canary" not in "".join([*stand.shown, *person.shown])


def test_a_secret_of_the_environment_is_tried_and_a_reference_is_written(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_TOKEN", SECRET)
    kit = Kit()
    done = stand.sign_in(kit, flags={name: text for name, text in ANSWERS.items() if name != "token"})
    assert kit.tried[0]["token"] == SECRET and done.references == ("KIT_TOKEN",)
    assert stand.read()["plugins"]["entries"]["kit"]["config"]["token"] == "${KIT_TOKEN}"


@pytest.mark.parametrize("answered", range(len(TYPED) + 1))
def test_an_abort_anywhere_leaves_the_file_as_it_was(stand: Stand, answered: int) -> None:
    """At every question, and at the last one, when the change was shown."""
    with pytest.raises(Aborted):
        stand.sign_in(Kit(), Scripted(*TYPED[:answered]))
    assert stand.is_untouched()


def test_a_no_at_the_end_changes_nothing(stand: Stand) -> None:
    with pytest.raises(Declined):
        stand.sign_in(Kit(), Scripted(*TYPED, "n"))
    assert stand.is_untouched()


def test_what_does_not_work_is_not_written(stand: Stand) -> None:
    with pytest.raises(SignInFailed, match="--no-check"):
        stand.sign_in(Kit(found=lambda answers: BAD), flags=ANSWERS)
    assert stand.is_untouched() and "  failed: nobody listens there" in stand.shown
    assert "  next: start it" in stand.shown


def test_unless_it_is_not_tried(stand: Stand) -> None:
    kit = Kit(found=lambda answers: BAD)
    stand.sign_in(kit, flags=ANSWERS, test_connection=False)
    assert kit.tried == [] and "kit" in stand.read()["models"]["providers"]


def test_a_person_may_write_it_all_the_same(stand: Stand) -> None:
    stand.sign_in(Kit(found=lambda answers: BAD), Scripted(*TYPED, "write", "y"))
    assert "kit" in stand.read()["models"]["providers"]


def test_a_person_may_stop_there(stand: Stand) -> None:
    with pytest.raises(Declined):
        stand.sign_in(Kit(found=lambda answers: BAD), Scripted(*TYPED, "later", "stop"))
    assert stand.is_untouched()


def test_answers_can_be_corrected_after_a_failed_test(stand: Stand) -> None:
    """They are offered again; Enter keeps each of them, the secret too."""
    kit = Kit(found=lambda answers: BAD if answers["team"] == "red" else CheckResult(ok=True, message="yes"))
    stand.sign_in(kit, Scripted(*TYPED, "edit", "blue", *[""] * (len(TYPED) - 1), "y"))
    assert [answers["team"] for answers in kit.tried] == ["red", "blue"]
    assert stand.read()["plugins"]["entries"]["kit"]["config"] == ANSWERS | {"team": "blue"}


def test_set_default_sets_the_default(stand: Stand) -> None:
    assert stand.sign_in(Kit(), flags=ANSWERS, set_default=True).is_default
    assert stand.read()["agents"]["defaults"]["model"] == {"primary": "kit/one", "fallbacks": []}


def test_without_a_default_the_wizard_offers_one(stand: Stand) -> None:
    stand.path.write_text(TEXT.replace('primary: "owl/a", ', ""))
    assert stand.sign_in(Kit(), Scripted(*TYPED, "y", "y")).is_default
    assert stand.read()["agents"]["defaults"]["model"]["primary"] == "kit/one"


def test_without_a_prompt_the_default_is_what_enter_would_give(stand: Stand) -> None:
    stand.path.write_text(TEXT.replace('primary: "owl/a", ', ""))
    assert stand.sign_in(Kit(), flags=ANSWERS).is_default
    assert stand.read()["agents"]["defaults"]["model"]["primary"] == "kit/one"
    assert not stand.sign_in(Kit(), flags=ANSWERS | {"models": "two"}).is_default


def test_answers_that_say_nothing_new_change_nothing(stand: Stand) -> None:
    stand.sign_in(Kit(), flags=ANSWERS)
    before = stand.path.read_bytes()
    assert stand.sign_in(Kit(), editing=True).written is None and stand.path.read_bytes() == before


def test_answers_are_checked_before_the_connection_test(stand: Stand) -> None:
    kit = Kit()
    with pytest.raises(MissingAnswer):
        stand.sign_in(kit)
    with pytest.raises(InvalidAnswer):
        stand.sign_in(kit, flags=ANSWERS | {"port": "x"})
    with pytest.raises(MissingAnswer):
        check_answers(ProviderTarget(kit, "kit"), SignInOptions(), stand.context(None))
    check_answers(ProviderTarget(kit, "kit"), SignInOptions(flags=ANSWERS), stand.context(None))
    assert kit.tried == [] and stand.is_untouched()


def test_a_taken_port_is_warned_of(stand: Stand) -> None:
    """Whether it is what is meant, the check finds out; one that was configured before is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        stand.sign_in(Kit(), flags=ANSWERS | {"port": port})
        assert any(f"Warning: port {port} is already in use" in line for line in stand.shown)
        stand.shown.clear()
        stand.sign_in(Kit(), flags={"team": "blue"}, editing=True)
        assert not any("Warning" in line for line in stand.shown)


def _raises(error: BaseException) -> Callable[..., Any]:
    def broken(*_: object) -> Any:
        raise error

    return broken


@pytest.mark.parametrize("broken", ["previous_answers", "questions", "config_change"])
@pytest.mark.parametrize(
    ("error", "says"),
    [(RuntimeError("boom"), "RuntimeError: boom"), (PluginError("no", next_step="do this"), "no: do this")],
)
def test_a_plugin_that_fails_is_named(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception, says: str
) -> None:
    monkeypatch.setattr(Kit, broken, _raises(error))
    with pytest.raises(SignInFailed, match="the plugin 'kit'") as caught:
        stand.sign_in(Kit(), flags=ANSWERS)
    assert says in str(caught.value) and stand.is_untouched()


@pytest.mark.parametrize("broken", ["check", "when"])
def test_a_question_that_fails_names_its_plugin(stand: Stand, broken: str) -> None:
    question = Question(name="team", text="Team", **{broken: _raises(RuntimeError("boom"))})  # type: ignore[arg-type]  # any of them
    for person in (None, Scripted("red")):
        with pytest.raises(SignInFailed, match="the plugin 'kit' failed: RuntimeError: boom"):
            stand.sign_in(Kit([question]), person, flags={} if person else {"team": "red"})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (_raises(SettingsInvalid.at("network", "is wrong", "fix it")), "network: is wrong; fix it"),
        (_raises(RuntimeError("boom")), "the connection test itself failed: RuntimeError: boom"),
        (_raises(PluginError("cannot")), "failed: cannot"),
        (_raises(TimeoutError()), "no response within"),
        (lambda answers: None, "the connection test returned no result"),
    ],
)
def test_a_check_that_fails_is_no_success(stand: Stand, found: Callable[[Answers], Any], says: str) -> None:
    with pytest.raises(SignInFailed):
        stand.sign_in(Kit(found=found), flags=ANSWERS)
    assert any(says in line for line in stand.shown) and stand.is_untouched()


def test_choices_that_cannot_be_had_are_typed(stand: Stand) -> None:
    question = Question(name="models", text="Models", kind="list", choices=_raises(RuntimeError("boom")))
    person = Scripted("one", "y")
    stand.sign_in(Kit([question]), person)
    assert "  (no choices: RuntimeError: boom)" in person.shown


def test_ctrl_c_while_the_connection_is_tried_leaves(stand: Stand) -> None:
    with pytest.raises(Aborted):
        stand.sign_in(Kit(found=_raises(KeyboardInterrupt())), flags=ANSWERS)
    assert stand.is_untouched()


def test_a_file_that_changed_meanwhile_is_not_written(stand: Stand) -> None:
    theirs = TEXT + "// theirs\n"

    def found(answers: Answers) -> CheckResult:
        stand.path.write_text(theirs)
        return CheckResult(ok=True, message="yes")

    with pytest.raises(SignInFailed, match="changed by another process"):
        stand.sign_in(Kit(found=found), flags=ANSWERS)
    assert stand.path.read_text() == theirs


def test_signing_out_undoes_signing_in(stand: Stand) -> None:
    stand.sign_in(Kit(), flags=ANSWERS, set_default=True)
    written = sign_out("kit", ProviderTarget(Kit(), "kit"), stand.context(Scripted("y")))
    found = stand.read()
    assert written is not None and "kit" not in stand.path.read_text()
    assert found["models"]["providers"] == {"owl": pyjson5.decode(TEXT)["models"]["providers"]["owl"]}


@pytest.mark.parametrize("answers", [[], ["n"]])
def test_signing_out_asks_first(stand: Stand, answers: Sequence[str]) -> None:
    with pytest.raises(Aborted):
        sign_out("owl", None, stand.context(Scripted(*answers)))
    assert stand.is_untouched() and "canary" not in "".join(stand.shown)


def test_every_question_here_is_one_of_another_kind() -> None:
    assert {question.kind for question in EVERY_KIND} == {
        "text", "url", "secret", "port", "number", "choice", "list", "confirm",
    }  # fmt: skip


def without_token(stand: Stand, gateway: str = '{ mode: "local" }', mode: int = 0o600) -> None:
    text = TEXT.replace('{ mode: "local", auth: { token: "canary-gateway-token-9f8e7d" } }', gateway)
    assert text != TEXT
    stand.path.write_text(text)
    stand.path.chmod(mode)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_gateway_without_a_token_is_offered_one(mode: int, stand: Stand) -> None:
    """Written with the rest in one step, shown masked, in a file that is the owner's alone."""
    without_token(stand, mode=mode)
    person = Scripted(*TYPED, "", "y")
    done = stand.sign_in(Kit(), person)
    token = stand.read()["gateway"]["auth"]["token"]
    assert done.makes_token and len(token) >= 43 and stand.path.stat().st_mode & 0o777 == 0o600
    assert token not in "".join([*stand.shown, *person.shown])
    assert any("in the same file? [y]" in line for line in person.shown)


def test_an_offered_token_can_be_declined(stand: Stand) -> None:
    without_token(stand, mode=0o640)
    done = stand.sign_in(Kit(), Scripted(*TYPED, "n", "y"))
    assert not done.makes_token and "auth" not in stand.read()["gateway"]
    assert done.written is not None and stand.path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "gateway", ['{ bind: "lan" }', '{ auth: { mode: "none" } }', '{ auth: { mode: "password" } }']
)
def test_no_token_is_offered_where_the_gateway_would_make_none(gateway: str, stand: Stand) -> None:
    without_token(stand, gateway)
    person = Scripted(*TYPED, "y")
    assert not stand.sign_in(Kit(), person).makes_token and person.answers == []


def test_no_token_is_offered_without_a_prompt_or_for_a_linked_file(stand: Stand) -> None:
    """The first start makes one then, or says what to do."""
    without_token(stand)
    assert not stand.sign_in(Kit(), flags=ANSWERS).makes_token
    stand.path.rename(stand.path.with_name("elsewhere.json"))
    stand.path.symlink_to("elsewhere.json")
    without_token(stand)
    person = Scripted(*TYPED, "y")
    assert not stand.sign_in(Kit(), person).makes_token and person.answers == []


def test_a_no_at_the_end_makes_no_token(stand: Stand) -> None:
    without_token(stand, mode=0o644)
    before = stand.path.read_text()
    with pytest.raises(Declined):
        stand.sign_in(Kit(), Scripted(*TYPED, "y", "n"))
    assert stand.path.read_text() == before and stand.path.stat().st_mode & 0o777 == 0o644
