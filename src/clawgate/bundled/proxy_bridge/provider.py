"""What is asked when the bridge is set up, what is tried, and what is written? Requests are those of the dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from clawgate.bundled.proxy_bridge import local, remote
from clawgate.bundled.proxy_bridge.config import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    ID,
    BridgeConfig,
    is_the_bridge,
    origin,
    why_no_models,
)
from clawgate.bundled.proxy_bridge.fitting import notes
from clawgate.bundled.proxy_bridge.remote import part
from clawgate.plugins.api import (
    Answers,
    CheckResult,
    Choice,
    ConfigChange,
    Diagnostic,
    Dialect,
    KeyPath,
    PluginError,
    Question,
    SetupContext,
)

_URL, _TOKEN, _PORT, _LOCAL_TOKEN = (
    "PROXY_BRIDGE_URL",
    "PROXY_BRIDGE_TOKEN",
    "PROXY_BRIDGE_PORT",
    "PROXY_BRIDGE_LOCAL_TOKEN",
)
_CONFIG = ("plugins", "entries", ID, "config")
_PROVIDER = ("models", "providers", ID)
_OURS = ("remoteUrl", "proxyToken", "models", "bridgePort", "bridgeToken")
_OWN_WAY = ("caFile", "clientCertificate", "upstreamProxy")


class BridgeProvider:
    """The provider ``proxy-bridge``."""

    id = ID
    label = "A remote proxy that wants X-Proxy-Token"
    dialect: Dialect = "openai-completions"

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        block = part(config, *_CONFIG)
        found = {
            "remote_url": _text(block.get("remoteUrl")),
            "proxy_token": _text(block.get("proxyToken")),
            "models": ", ".join(_ids(block.get("models")) or _ids(part(config, *_PROVIDER).get("models"))),
            "bridge_port": _text(block.get("bridgePort")),
            "bridge_token": _text(block.get("bridgeToken")),
        }
        return Answers({name: text for name, text in found.items() if text})

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        """Three; port and token of the bridge itself only where somebody has set them."""
        port = previous.text("bridge_port")
        listens = environment.get(_PORT, "").strip() or port

        def why_not_this_url(text: str) -> str | None:
            if is_the_bridge(text, _number(listens)):
                return "it is the bridge itself; the URL of the remote proxy is meant"
            return None

        asked = [
            Question(
                name="remote_url",
                text="URL of the remote proxy",
                kind="url",
                default=previous.text("remote_url"),
                variables=(_URL,),
                help="Without /v1, such as https://proxy.example.com",
                check=why_not_this_url,
            ),
            Question(
                name="proxy_token",
                text="Proxy token",
                kind="secret",
                variables=(_TOKEN,),
                help="What the remote proxy wants to see as X-Proxy-Token.",
            ),
            Question(
                name="models",
                text="Models",
                kind="list",
                default=previous.text("models"),
                help="Ids with commas between them, as the remote knows them.",
                check=why_no_models,
                choices=self._choices,
            ),
        ]
        if listens and listens != str(DEFAULT_PORT):
            asked.append(
                Question(
                    name="bridge_port",
                    text="Port of the local bridge",
                    kind="port",
                    default=port if _number(port) else str(DEFAULT_PORT),
                    variables=(_PORT,),
                )
            )
        if previous.text("bridge_token") or environment.get(_LOCAL_TOKEN, "").strip():
            asked.append(
                Question(
                    name="bridge_token",
                    text="Token of the local bridge",
                    kind="secret",
                    variables=(_LOCAL_TOKEN,),
                    help="What clients of the bridge have to present; the gateway does.",
                )
            )
        return asked

    async def _choices(self, answers: Answers, context: SetupContext) -> Sequence[Choice]:
        found = await remote.look(
            context.fetch, answers.text("remote_url"), SecretStr(answers.text("proxy_token"))
        )
        if not found.ok:
            raise PluginError(found.message, next_step=found.next_step)
        return [Choice(model) for model in found.models]

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Ask the remote for its models with this token; and look whether the bridge's port is free."""
        url, port = answers.text("remote_url"), _number(answers.text("bridge_port"))
        if is_the_bridge(url, port):
            message = f"{url} is the bridge itself, which would ask itself for ever"
            return CheckResult(ok=False, message=message, next_step="give the URL of the remote proxy")
        found = await remote.look(context.fetch, url, SecretStr(answers.text("proxy_token")))
        # Who could not be asked is named by whoever tried.
        message = found.message if found.answers is False else f"{url}: {found.message}"
        if not found.ok:
            step = found.next_step
            if found.answers is False and any(part(context.config, *_CONFIG).get(key) for key in _OWN_WAY):
                step = (
                    f"this check does not use {', '.join(_OWN_WAY)}, as the bridge does: "
                    f"write it all the same, then look: clawgate {ID} status"
                )
            return CheckResult(ok=False, message=message, next_step=step, models=found.models)
        if found.milliseconds is not None:
            message += f" ({found.milliseconds:.0f} ms, {_counted(found.models)})"
        unknown = [one for one in answers.words("models") if one not in found.models]
        if found.models and unknown:
            message += f"; it does not list {', '.join(unknown)}"
        if note := await self._port_note(context, port):
            message += f"; {note}"
        return CheckResult(ok=True, message=message, models=found.models)

    async def _port_note(self, context: SetupContext, port: int) -> str:
        """What there is to say about the bridge's port, if somebody else seems to have it."""
        host = _text(part(context.config, *_CONFIG).get("host")) or DEFAULT_HOST
        found = await local.look(context.fetch, origin(host, port))
        if found.who == "other":
            return f"but {found.reason}, so the gateway's bridge cannot: free it, or set another bridgePort"
        return ""

    def config_change(self, answers: Answers) -> ConfigChange:
        models = answers.words("models")
        port, token = answers.text("bridge_port"), answers.text("bridge_token")
        block: dict[str, object] = {
            "remoteUrl": answers.text("remote_url"),
            "proxyToken": answers.text("proxy_token"),
            "models": list(models),
        }
        secrets: list[KeyPath] = [("proxyToken",)]
        if port:
            block["bridgePort"] = _number(port)
        if token:
            block["bridgeToken"] = token
            secrets.append(("bridgeToken",))
        provider: dict[str, object] = {
            "baseUrl": f"{origin(DEFAULT_HOST, _number(port))}/v1",
            "apiKey": token or "bridge",
            "api": self.dialect,
            "models": [{"id": model, "name": model} for model in models],
        }
        return ConfigChange(
            plugin_config=block,
            provider=provider,
            default_model=f"{ID}/{models[0]}" if models else None,
            secrets=tuple(secrets),
            notes=(f"How it is, at any time: clawgate {ID} status",),
        )

    def check_config(self, config: Mapping[str, Any], settings: BaseModel) -> Sequence[Diagnostic]:
        return notes(config, settings) if isinstance(settings, BridgeConfig) else ()

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        """What is not ours in the plugin's config stays; if there is nothing else, the whole entry goes."""
        block = part(config, *_CONFIG)
        found: list[KeyPath] = []
        if block.keys() <= set(_OURS):
            if part(config, *_CONFIG[:-1]):
                found.append(_CONFIG[:-1])
        else:  # settings of the operator's own stay, but nothing is started by them
            found += [(*_CONFIG, name) for name in _OURS if name in block]
            if part(config, *_CONFIG[:-1]).get("enabled") is True:
                found.append((*_CONFIG[:-1], "enabled"))
        if part(config, *_PROVIDER):
            found.append(_PROVIDER)
        return found


def _counted(models: Sequence[str]) -> str:
    return f"{len(models)} model" + ("" if len(models) == 1 else "s")


def _number(text: str) -> int:
    """A port that the provider can be asked at: where any may be taken, the usual one."""
    return (int(text) if text.isascii() and text.isdigit() else 0) or DEFAULT_PORT


def _text(value: object) -> str:
    """A setting as it would be typed; of a secret reference to the environment, its short form."""
    if isinstance(value, Mapping) and value.get("source") == "env" and isinstance(value.get("id"), str):
        return f"${{{value['id']}}}"
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _ids(models: object) -> list[str]:
    """Model ids, from a list of ids or of the entries of a provider."""
    if not isinstance(models, list):
        return []
    found = [one.get("id") if isinstance(one, Mapping) else one for one in models]
    return [
        one for one in found if isinstance(one, str) and one and why_no_models(one) is None and "," not in one
    ]
