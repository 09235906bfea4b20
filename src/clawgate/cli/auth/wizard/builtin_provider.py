"""Sets up a provider without a plugin: openai, anthropic, or any server with the API of one of them.

Has the interface of a plugin's provider, so that one wizard serves all. Must keep every key of the provider's block
that no question is about; what the block means is decided in `providers.catalog` alone.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clawgate.cli.auth.wizard.connection_check import try_block
from clawgate.cli.auth.wizard.credential_block import basic_written, credential_of, with_credential
from clawgate.cli.auth.wizard.provider_questions import provider_questions
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult, ConfigChange, Dialect
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.policy.model_routing import is_provider_id
from clawgate.providers.built_in import BUILT_IN
from clawgate.settings.key_path import KeyPath

_LABELS = {"openai": "OpenAI", "anthropic": "Anthropic"}


class BuiltinProvider:
    """One such provider; implements `ProviderPlugin`. ``id`` is "" for a new one, whose name is then a question.

    ``block`` is its block in the config, with references unresolved; ``taken`` are the ids of other providers.
    """

    def __init__(self, id: str, block: Mapping[str, Any], taken: Collection[str] = ()) -> None:  # noqa: A002  # as the interface has it
        self.id = id
        self._block = block
        self._taken = taken
        self._built_in = BUILT_IN.get(id)
        self._last_check: tuple[Mapping[str, object], CheckResult] | None = None

    @property
    def label(self) -> str:
        return _LABELS.get(self.id, self.id or "another server")

    @property
    def dialect(self) -> Dialect:
        return "anthropic-messages" if self._api(Answers()) == "anthropic-messages" else "openai-completions"

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        """Return the block as answers; a secret reference stays a reference."""
        block = self._block
        answers: dict[str, str] = {}
        for name, key in (("base_url", "baseUrl"), ("dialect", "api")):
            if isinstance(block.get(key), str):
                answers[name] = block[key]
        credential = credential_of(block)
        if credential is not None:
            name = "login" if credential.kind == "basic" and self._built_in is None else "key"
            answers |= {"auth": credential.kind, "header": credential.header, name: credential.secret}
        elif block and self._built_in is None:
            answers["auth"] = "none"
        request = block.get("request")
        if isinstance(request, dict) and isinstance(request.get("allowPrivateNetwork"), bool):
            answers["private_network"] = "yes" if request["allowPrivateNetwork"] else "no"
        answers["models"] = ", ".join(entry["id"] for entry in _model_entries(block))
        return Answers({name: text for name, text in answers.items() if text})

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        return provider_questions(
            self.id, self._built_in, id_problem=self._id_problem, models=self._model_choices
        )

    def _id_problem(self, text: str) -> str | None:
        if not is_provider_id(text):
            return "must consist of a-z 0-9 . _ - and begin with a letter or digit"
        if text in self._taken:
            return f"{text} already exists; to change it: clawgate models auth edit --provider {text}"
        return None

    def _api(self, answers: Answers) -> str:
        return answers.text("dialect") or (self._built_in.api if self._built_in else "openai-completions")

    async def _model_choices(self, answers: Answers, context: SetupContext) -> Sequence[Choice]:
        result = await self.check_connection(answers, context)
        if not result.ok:
            raise PluginError(result.message)
        return [Choice(model) for model in result.models]

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Request the provider's models over the path that requests take. The same block is tested only once."""
        block = dict(self.config_change(answers).provider)
        block.pop("models", None)
        if self._last_check is None or self._last_check[0] != block:
            result = await try_block(answers.text("id") or self.id, block, context.environment)
            self._last_check = block, result
        return self._last_check[1]

    def config_change(self, answers: Answers) -> ConfigChange:
        name = answers.text("id") or self.id
        block: dict[str, Any] = copy.deepcopy(dict(self._block))
        block["baseUrl"] = answers.text("base_url")
        block["api"] = self._api(answers)
        kind = answers.text("auth") or self._default_kind()
        secret = basic_written(answers.text("login")) if kind == "basic" else answers.text("key")
        block = with_credential(block, kind, answers.text("header"), secret)
        _set_private_network(block, allowed=answers.confirmed("private_network"))
        models = answers.words("models")
        known = {entry["id"]: entry for entry in _model_entries(self._block)}
        block["models"] = [known.get(model, {"id": model, "name": model}) for model in models]
        return ConfigChange(
            plugin_config={}, provider=block, default_model=f"{name}/{models[0]}" if models else None
        )

    def _default_kind(self) -> str:
        """Return the kind of credential of a built-in, for which there is no question: the config's, or its own."""
        credential = credential_of(self._block)
        if credential is not None and credential.kind in ("bearer", "x-api-key"):
            return credential.kind
        return "x-api-key" if self._api(Answers()) == "anthropic-messages" else "bearer"

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        return (("models", "providers", self.id),)


def _model_entries(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    models = block.get("models")
    return [
        entry
        for entry in (models if isinstance(models, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]


def _set_private_network(block: dict[str, Any], *, allowed: bool) -> None:
    """Write only a yes: for an address that needs no permission, an earlier permission must not stay."""
    request = dict(block["request"]) if isinstance(block.get("request"), dict) else {}
    request.pop("allowPrivateNetwork", None)
    if allowed:
        request["allowPrivateNetwork"] = True
    block.pop("request", None)
    if request:
        block["request"] = request
