"""Sets up a provider without a plugin: openai, anthropic, or any server with the API of one of them.

Has the interface of a plugin's provider, so that one wizard serves all. Must keep every key of the provider's block
that no question is about; what the block means is decided in `providers.catalog` alone.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from clawgate.cli.auth.wizard.answers import MoreAnswersNeeded
from clawgate.cli.auth.wizard.connection_check import try_block
from clawgate.cli.auth.wizard.credential_block import basic_written, credential_of, with_credential
from clawgate.cli.auth.wizard.implied_block import ImpliedBlock
from clawgate.cli.auth.wizard.provider_questions import provider_questions
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult, ConfigChange, Dialect
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.policy.model_routing import is_provider_id
from clawgate.providers.built_in import BUILT_IN
from clawgate.settings.fields import BaseUrl
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.own_settings import SECTION, network_rules_of
from clawgate.settings.secrets import basic_login

_LABELS = {"openai": "OpenAI", "anthropic": "Anthropic"}


class BuiltinProvider:
    """One such provider; implements `ProviderPlugin`. ``id`` is "" for a new one, whose name is then a question.

    ``block`` is its block in the config, with references unresolved; ``taken`` are the ids of other providers.
    ``replaces`` are settings of a plugin that become its block.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  # as the interface has it
        block: Mapping[str, Any],
        taken: Collection[str] = (),
        replaces: ImpliedBlock | None = None,
    ) -> None:
        self.id = id
        self._block = replaces.block if replaces is not None else block
        self._replaces = replaces
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
        if credential is not None and credential.kind == "basic" and self._built_in is None:
            answers |= {"auth": "basic"} | _login_answers(credential.secret)
        elif credential is not None:
            answers |= {"auth": credential.kind, "header": credential.header, "key": credential.secret}
        elif block and self._built_in is None:
            answers["auth"] = "none"
        request = block.get("request")
        if isinstance(request, dict) and isinstance(request.get("allowPrivateNetwork"), bool):
            answers["private_network"] = "yes" if request["allowPrivateNetwork"] else "no"
        answers["models"] = ", ".join(entry["id"] for entry in _model_entries(block))
        return Answers({name: text for name, text in answers.items() if text})

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        return provider_questions(
            self.id,
            self._built_in,
            id_problem=self._id_problem,
            models=self._model_choices,
            environment=environment,
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
        if not result.ok and result.ask:
            raise MoreAnswersNeeded(result.message, result.ask)
        if not result.ok:
            raise PluginError(result.message, next_step=result.next_step)
        return [Choice(model) for model in result.models]

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Request the provider's models over the path that requests take. The same block is tested only once."""
        block = dict(self.config_change(answers).provider)
        block.pop("models", None)
        if self._last_check is None or self._last_check[0] != block:
            network = network_rules_of(context.config, context.environment)
            result = await try_block(answers.text("id") or self.id, block, context.environment, network)
            self._last_check = block, result
        return self._last_check[1]

    def config_change(self, answers: Answers) -> ConfigChange:
        name = answers.text("id") or self.id
        block: dict[str, Any] = copy.deepcopy(dict(self._block))
        block["api"] = self._api(answers)
        block["baseUrl"] = _full_url(answers.text("base_url"), block["api"])
        kind = answers.text("auth") or self._default_kind()
        secret = _login(answers) if kind == "basic" else answers.text("key")
        block = with_credential(block, kind, answers.text("header"), secret)
        _set_private_network(block, allowed=answers.confirmed("private_network"))
        if ca_file := answers.text("ca_file"):
            block["request"] = _with_authority(block.get("request"), Path(ca_file).read_text("ascii"))
        models = answers.words("models")
        known = {entry["id"]: entry for entry in _model_entries(self._block)}
        block["models"] = [known.get(model, {"id": model, "name": model}) for model in models]
        replaced = self._replaces
        return ConfigChange(
            plugin_config={},
            provider=block,
            default_model=f"{name}/{models[0]}" if models else None,
            removes=(replaced.path,) if replaced is not None else (),
            own=replaced.own if replaced is not None else {},
            notes=_notes(kind, secret),
        )

    def _default_kind(self) -> str:
        """Return the kind of credential of a built-in, for which there is no question: the config's, or its own."""
        credential = credential_of(self._block)
        if credential is not None and credential.kind in ("bearer", "x-api-key"):
            return credential.kind
        return "x-api-key" if self._api(Answers()) == "anthropic-messages" else "bearer"

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        settings = (self._replaces.path,) if self._replaces is not None else ()
        return (("models", "providers", self.id), (*SECTION, "providers", self.id), *settings)


def _notes(kind: str, secret: str) -> tuple[str, ...]:
    if kind != "basic" or not secret.startswith("${"):
        return ()
    return (f"OpenClaw sends {secret} as it is, so there the variable has to hold user:password in base64",)


def _full_url(text: str, api: str) -> str:
    """Return the base URL with the path that is meant where it has none: OpenClaw adds no /v1 for OpenAI's APIs."""
    try:
        url = BaseUrl.parse(text)
    except ValueError:
        return text
    return f"{url.origin}/v1" if api.startswith("openai-") and not url.path else text


def _login_answers(secret: str) -> dict[str, str]:
    """Return user and password on their own; a reference is both of them."""
    login = basic_login(secret)
    user, colon, password = (login or "").partition(":")
    return {"username": user, "password": password} if colon and user else {"login": secret}


def _login(answers: Answers) -> str:
    """Return user and password in base64, or the reference to them."""
    user = answers.text("username")
    return basic_written(f"{user}:{answers.get('password', '')}" if user else answers.get("login", ""))


def _with_authority(request: object, pem: str) -> dict[str, Any]:
    """Return ``request`` with the only authority; its text, since OpenClaw takes no file here."""
    block = dict(request) if isinstance(request, dict) else {}
    tls = block.get("tls")
    return block | {"tls": (dict(tls) if isinstance(tls, dict) else {}) | {"ca": pem}}


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
