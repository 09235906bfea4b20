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
    """An `Asker` that answers from a list, and leaves when that is at its end. ``said`` is all that was shown."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.said: list[str] = []

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def line(self, prompt: str, offered: str, check: Check) -> str:
        return self._next(prompt, offered, check)

    def secret(self, prompt: str, check: Check) -> str:
        return self._next(prompt, "", check)

    def yes(self, prompt: str, offered: bool | None) -> bool:
        default = {True: "y", False: "n", None: ""}[offered]
        return (
            self._next(prompt, default, lambda text: None if text in ("y", "n") else "answer yes or no")
            == "y"
        )

    def one_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        self.said += [value for value, _ in choices]
        return self._next(prompt, offered, check)

    def some_of(self, prompt: str, choices: Sequence[tuple[str, str]], offered: str, check: Check) -> str:
        self.said += [value for value, _ in choices]
        return self._next(prompt, offered, check)

    def _next(self, prompt: str, offered: str, check: Check) -> str:
        self.said.append(f"{prompt} [{offered}]" if offered else prompt)
        while True:
            if not self.answers:
                raise Aborted
            text = self.answers.pop(0) or offered
            problem = check(text)
            if problem is None:
                return text
            self.said.append(problem)


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
