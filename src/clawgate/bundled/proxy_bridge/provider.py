"""Defines the provider: its setup questions, the check of the remote, and its config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from clawgate.bundled.proxy_bridge.config import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    ID,
    OWN_ROUTE_KEYS,
    is_the_bridge,
    models_problem,
    origin,
)
from clawgate.bundled.proxy_bridge.config_check import diagnostics
from clawgate.bundled.proxy_bridge.listener_check import check_listener
from clawgate.bundled.proxy_bridge.remote_check import check_remote
from clawgate.plugins import api

_URL, _TOKEN, _PORT, _LOCAL_TOKEN = (
    "PROXY_BRIDGE_URL",
    "PROXY_BRIDGE_TOKEN",
    "PROXY_BRIDGE_PORT",
    "PROXY_BRIDGE_LOCAL_TOKEN",
)
_CONFIG = ("plugins", "entries", ID, "config")
_PROVIDER = ("models", "providers", ID)
_WRITTEN_KEYS = ("remoteUrl", "proxyToken", "models", "bridgePort", "bridgeToken")


class BridgeProvider:
    """The provider ``proxy-bridge``."""

    id = ID
    label = "A remote proxy that requires X-Proxy-Token"
    dialect: api.Dialect = "openai-completions"
    further_dialects: tuple[api.Dialect, ...] = ("openai-responses",)  # OpenAI is behind the remote

    def previous_answers(self, config: Mapping[str, Any]) -> api.Answers:
        block = api.object_at(config, _CONFIG)
        values = {
            "remote_url": _text(block.get("remoteUrl")),
            "proxy_token": _text(block.get("proxyToken")),
            "models": ", ".join(
                _ids(api.object_at(config, _PROVIDER).get("models")) or _ids(block.get("models"))
            ),
            "bridge_port": _text(block.get("bridgePort")),
            "bridge_token": _text(block.get("bridgeToken")),
        }
        return api.Answers({name: text for name, text in values.items() if text})

    def questions(self, previous: api.Answers, environment: Mapping[str, str]) -> Sequence[api.Question]:
        port = _number(environment.get(_PORT, "").strip() or previous.text("bridge_port"))

        def url_problem(text: str) -> str | None:
            if is_the_bridge(text, port):
                return "it is the bridge itself; enter the URL of the remote proxy"
            return None

        questions = [
            api.Question(
                name="remote_url",
                text="URL of the remote proxy",
                kind="url",
                default=previous.text("remote_url"),
                variables=(_URL,),
                help="Without /v1, such as https://proxy.example.com",
                check=url_problem,
            ),
            api.Question(
                name="proxy_token",
                text="Proxy token",
                kind="secret",
                variables=(_TOKEN,),
                help="What the remote proxy requires as X-Proxy-Token.",
            ),
            api.Question(
                name="models",
                text="Models",
                kind="list",
                default=previous.text("models"),
                help="Comma-separated ids, as the remote knows them.",
                check=models_problem,
                choices=self._choices,
            ),
        ]
        return [*questions, *_bridge_questions(previous, environment)]

    async def _choices(self, answers: api.Answers, context: api.SetupContext) -> Sequence[api.Choice]:
        remote = await check_remote(
            context.fetch, answers.text("remote_url"), SecretStr(answers.text("proxy_token"))
        )
        if not remote.ok:
            raise api.PluginError(remote.message, next_step=remote.next_step)
        return [api.Choice(model) for model in remote.models]

    async def check_connection(self, answers: api.Answers, context: api.SetupContext) -> api.CheckResult:
        """Fetch the models of the remote with this token, and check whether the bridge's port is free."""
        url, port = answers.text("remote_url"), _number(answers.text("bridge_port"))
        if is_the_bridge(url, port):
            message = f"{url} is the bridge itself, which would send requests to itself"
            return api.CheckResult(ok=False, message=message, next_step="enter the URL of the remote proxy")
        remote = await check_remote(context.fetch, url, SecretStr(answers.text("proxy_token")))
        # A message about a remote that was not reached names it already.
        message = remote.message if remote.responds is False else f"{url}: {remote.message}"
        if not remote.ok:
            step = remote.next_step
            block = api.object_at(context.config, _CONFIG)
            if remote.responds is False and any(block.get(key) for key in OWN_ROUTE_KEYS):
                step = (
                    f"this check does not use {', '.join(OWN_ROUTE_KEYS)}, as the bridge does: "
                    f"write the config anyway, then run: clawgate {ID} status"
                )
            return api.CheckResult(ok=False, message=message, next_step=step, models=remote.models)
        if remote.milliseconds is not None:
            message += f" ({remote.milliseconds:.0f} ms, {_counted(remote.models)})"
        unknown = [one for one in answers.words("models") if one not in remote.models]
        if remote.models and unknown:
            message += f"; it does not list {', '.join(unknown)}"
        if note := await self._port_note(context, port):
            message += f"; {note}"
        return api.CheckResult(ok=True, message=message, models=remote.models)

    async def _port_note(self, context: api.SetupContext, port: int) -> str:
        """Return a warning if another program has the bridge's port."""
        host = _text(api.object_at(context.config, _CONFIG).get("host")) or DEFAULT_HOST
        listener = await check_listener(context.fetch, origin(host, port))
        if listener.kind == "other":
            return f"but {listener.reason}, so the gateway's bridge cannot listen: stop it, or set another bridgePort"
        return ""

    def config_change(self, answers: api.Answers) -> api.ConfigChange:
        models = answers.words("models")
        port, token = answers.text("bridge_port"), answers.text("bridge_token")
        block: dict[str, object] = {
            "remoteUrl": answers.text("remote_url"),
            "proxyToken": answers.text("proxy_token"),
            "models": list(models),
        }
        secrets: list[api.KeyPath] = [("proxyToken",)]
        if port:
            block["bridgePort"] = _number(port)
        if token:
            block["bridgeToken"] = token
            secrets.append(("bridgeToken",))
        provider = self._block(DEFAULT_HOST, _number(port), models, token)
        return api.ConfigChange(
            plugin_config=block,
            provider=provider,
            default_model=f"{ID}/{models[0]}" if models else None,
            secrets=tuple(secrets),
            notes=(f"To see its state: clawgate {ID} status",),
        )

    def implied_block(self, settings: BaseModel, environment: Mapping[str, str]) -> Mapping[str, object]:
        """Return nothing for a bridge that takes any free port."""
        assert isinstance(settings, api.BridgeSettings)
        if not settings.bridge_port:
            return {}
        token = settings.bridge_token.get_secret_value() if settings.bridge_token is not None else ""
        return self._block(settings.host, settings.bridge_port, _ids(list(settings.models)), token)

    def _block(self, host: str, port: int, models: Sequence[str], token: str) -> dict[str, object]:
        """Return the block of ``models.providers``."""
        return {
            "baseUrl": f"{origin(host, port)}/v1",
            "apiKey": token or "bridge",
            "api": self.dialect,
            "models": [{"id": model, "name": model} for model in models],
        }

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[api.Diagnostic]:
        return diagnostics(config, settings) if isinstance(settings, api.BridgeSettings) else ()

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[api.KeyPath]:
        paths = api.entry_paths(config, ID, _WRITTEN_KEYS)
        if api.object_at(config, _PROVIDER):
            paths.append(_PROVIDER)
        return paths


def _bridge_questions(previous: api.Answers, environment: Mapping[str, str]) -> Sequence[api.Question]:
    """Return the questions for port and token of the bridge, each only if it is set already."""
    questions: list[api.Question] = []
    port = previous.text("bridge_port")
    if (environment.get(_PORT, "").strip() or port or str(DEFAULT_PORT)) != str(DEFAULT_PORT):
        questions.append(
            api.Question(
                name="bridge_port",
                text="Port of the local bridge",
                kind="port",
                default=port if _number(port) else str(DEFAULT_PORT),
                variables=(_PORT,),
            )
        )
    if previous.text("bridge_token") or environment.get(_LOCAL_TOKEN, "").strip():
        questions.append(
            api.Question(
                name="bridge_token",
                text="Token of the local bridge",
                kind="secret",
                variables=(_LOCAL_TOKEN,),
                help="What clients of the bridge must present; the gateway does.",
            )
        )
    return questions


def _counted(models: Sequence[str]) -> str:
    return f"{len(models)} model" + ("" if len(models) == 1 else "s")


def _number(text: str) -> int:
    """Return the port for the provider's baseUrl; the default where the bridge takes any."""
    return (int(text) if text.isascii() and text.isdigit() else 0) or DEFAULT_PORT


def _text(value: object) -> str:
    """Return a setting as a person types it; of a reference to the environment its short form."""
    if isinstance(value, Mapping) and value.get("source") == "env" and isinstance(value.get("id"), str):
        return f"${{{value['id']}}}"
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _ids(models: object) -> list[str]:
    if not isinstance(models, list):
        return []
    ids = [one.get("id") if isinstance(one, Mapping) else one for one in models]
    return [
        one for one in ids if isinstance(one, str) and one and models_problem(one) is None and "," not in one
    ]
