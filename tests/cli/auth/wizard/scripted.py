"""A person with a list of answers, and a provider with one question of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clawgate.cli.auth.wizard.prompter import Aborted, Check
from clawgate.plugins.api.provider import CheckResult, ConfigChange, Dialect
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.settings.key_path import KeyPath

SECRET = "canary-s3cret-9f8e7d6c"


class Scripted:
    """A `Prompter` with a list of answers, which aborts at its end. ``shown`` is all that it showed."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.shown: list[str] = []

    def show(self, text: str = "") -> None:
        self.shown.append(text)

    def ask_text(self, prompt: str, default: str, check: Check) -> str:
        return self._next(prompt, default, check)

    def ask_secret(self, prompt: str, check: Check) -> str:
        return self._next(prompt, "", check)

    def confirm(self, prompt: str, default: bool | None) -> bool:
        word = {True: "y", False: "n", None: ""}[default]
        return (
            self._next(prompt, word, lambda text: None if text in ("y", "n") else "answer yes or no") == "y"
        )

    def choose_one(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        self.shown += [value for value, _ in choices]
        return self._next(prompt, default, check)

    def choose_many(self, prompt: str, choices: Sequence[tuple[str, str]], default: str, check: Check) -> str:
        self.shown += [value for value, _ in choices]
        return self._next(prompt, default, check)

    def _next(self, prompt: str, default: str, check: Check) -> str:
        self.shown.append(f"{prompt} [{default}]" if default else prompt)
        while True:
            if not self.answers:
                raise Aborted
            text = self.answers.pop(0) or default
            problem = check(text)
            if problem is None:
                return text
            self.shown.append(problem)


async def _models(answers: Answers, context: SetupContext) -> Sequence[Choice]:
    return [Choice("one"), Choice("two")]


EVERY_KIND = (
    Question(name="team", text="Team"),
    Question(name="remote_url", text="Remote", kind="url", variables=("KIT_URL",)),
    Question(name="token", text="Token", kind="secret", variables=("KIT_TOKEN",)),
    Question(name="port", text="Port", kind="port", default="3456"),
    Question(name="count", text="Count", kind="number", default="2"),
    Question(name="mode", text="Mode", kind="choice", options=(Choice("fast", "quick"), Choice("slow"))),
    Question(name="models", text="Models", kind="list", required=False, choices=_models),
    Question(name="private", text="Private?", kind="confirm"),
    Question(name="why", text="Why", when=lambda answers: answers.confirmed("private")),
)
ANSWERS = {
    "team": "red", "remote_url": "https://remote.test/v1", "token": SECRET, "port": "3999", "count": "7",
    "mode": "slow", "models": "one", "private": "yes", "why": "tests",
}  # fmt: skip


class Kit:
    """A plugin's provider; what it does can be replaced."""

    id = "kit"
    label = "Kit"
    dialect: Dialect = "openai-completions"

    def __init__(
        self,
        questions: Sequence[Question] = EVERY_KIND,
        found: Callable[[Answers], CheckResult] = lambda answers: CheckResult(ok=True, message="it answers"),
    ) -> None:
        self._questions = questions
        self._found = found
        self.tried: list[Answers] = []

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        held = config.get("plugins", {}).get("entries", {}).get("kit", {}).get("config", {})
        return Answers({name: str(text) for name, text in held.items()})

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        return self._questions

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        self.tried.append(answers)
        return self._found(answers)

    def config_change(self, answers: Answers) -> ConfigChange:
        return ConfigChange(
            plugin_config=dict(answers),
            provider={"baseUrl": "http://127.0.0.1:18800/v1", "api": "openai-completions", "models": []},
            aliases={"kitty": "kit/one"},
            default_model="kit/one",
        )

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        return (("plugins", "entries", "kit"),)
