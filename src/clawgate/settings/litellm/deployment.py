"""Reads one entry of LiteLLM's ``model_list`` as a model of a provider of ours, and notes what it has besides. Pure.

A secret is taken over as a reference where the file has one, and else as it is; it is never a part of a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import PRIVATE_KINDS
from clawgate.settings.key_path import KeyPath
from clawgate.settings.litellm.counterparts import WHY_NOT_INFO, WHY_NOT_PARAM
from clawgate.settings.litellm.notes import Notes
from clawgate.settings.litellm.upstreams import UNSUPPORTED, UPSTREAMS, Upstream, split_model
from clawgate.settings.litellm.yaml_file import YamlMapping
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import Origin, parse_url

_VARIABLE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)\Z")
_ENDPOINTS = ("/chat/completions", "/messages", "/completions", "/embeddings", "/responses")
_AZURE = ".openai.azure.com"
_PARAMS = {"model", "api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers", "headers",
           "organization", "timeout"}  # fmt: skip
_INFO = {
    "max_input_tokens",
    "max_output_tokens",
    "max_tokens",
    "supports_vision",
    "supports_reasoning",
    "mode",
}
_MODES = (None, "chat", "completion", "embedding", "responses")


@dataclass(frozen=True, slots=True)
class Deployment:
    """``provider`` is the block of its provider without models; ``model`` is None for a wildcard (``openai/*``).

    ``server`` is the host and the port, if the address has one; "" for an address that a variable has.
    """

    name: str
    prefix: str
    provider: dict[str, Any]
    model: dict[str, Any] | None
    server: str


def text_of(value: object) -> str | None:
    """Return a text or a number as text."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def reference_or_text(value: str) -> str:
    """Return our spelling of a value: ``os.environ/NAME`` is ``${NAME}``, and a plain ``${`` is escaped."""
    found = _VARIABLE.match(value)
    return f"${{{found[1]}}}" if found else value.replace("${", "$${")


def seconds_of(value: object) -> float | None:
    """Return a number of seconds, also from text; None for anything else."""
    text = text_of(value)
    try:
        seconds = float(text) if text is not None else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


class DeploymentReader:
    def __init__(self, notes: Notes, *, allow_private: bool, timeout: float | None) -> None:
        self._notes = notes
        self._allow_private = allow_private
        self._timeout = timeout

    def read(self, entry: YamlMapping, path: KeyPath) -> Deployment | None:
        """Return the deployment; None, with a note, for one that cannot be taken over."""
        params, info = entry.get("litellm_params"), entry.get("model_info")
        if not isinstance(params, YamlMapping) or (model := text_of(params.get("model"))) is None:
            self._notes.add(entry, (*path, "litellm_params"), "the entry names no model")
            return None
        self._notes.unread(entry, path, {"model_name", "litellm_params", "model_info"}, {})
        inner = (*path, "litellm_params")
        prefix, name = split_model(model, params.get("custom_llm_provider"))
        upstream = UPSTREAMS.get(prefix or "")
        if prefix is None or upstream is None:
            unknown = (
                "clawgate does not know its prefix" if prefix else "its name has no prefix of a provider"
            )
            fix = "where the API is OpenAI's, write openai/<model> with an api_base; else: clawgate providers add <id>"
            message = f"the model is left out: {UNSUPPORTED.get(prefix or '', unknown)}"
            self._notes.add(params, (*inner, "model"), message, fix)
            return None
        info = info if isinstance(info, YamlMapping) else YamlMapping("")
        if info.get("mode") not in _MODES:
            self._notes.add(
                info,
                (*path, "model_info", "mode"),
                "the model is left out: clawgate does not serve this mode",
            )
            return None
        address = self._address(params, inner, prefix, upstream)
        if address is None:
            return None
        self._notes.unread(params, inner, _PARAMS, WHY_NOT_PARAM)
        self._notes.unread(info, (*path, "model_info"), _INFO, WHY_NOT_INFO)
        base_url, origin = address
        provider = {"baseUrl": base_url, "api": upstream.api}
        provider |= self._credential(params, inner, upstream, is_home=base_url == upstream.base_url)
        provider |= self._settings(params, inner, origin)
        server = origin.authority if origin is not None else ""
        alias = text_of(entry.get("model_name")) or model
        return Deployment(alias, prefix, provider, _model(name, info), server)

    def _address(
        self, params: YamlMapping, path: KeyPath, prefix: str, upstream: Upstream
    ) -> tuple[str, Origin | None] | None:
        """Return the base URL and its origin, None for one that a variable has."""
        key = "api_base" if params.get("api_base") else "base_url"
        given = text_of(params.get(key))
        if given is None and upstream.base_url is None:
            self._notes.add(params, (*path, "api_base"), f"the model is left out: {prefix}/ needs an address")
            return None
        url = (given or upstream.base_url or "").rstrip("/")
        if _VARIABLE.match(url):
            reference = reference_or_text(url)
            return reference + upstream.suffix, None
        for endpoint in _ENDPOINTS:
            url = url.removesuffix(endpoint)
        try:
            origin, url_path = parse_url(url)
        except ValueError as error:
            self._notes.add(params, (*path, key), f"the model is left out: the address {error}")
            return None
        if prefix == "azure" and not origin.host.endswith(_AZURE):
            self._notes.add(params, (*path, key), f"the model is left out: its host is none of *{_AZURE}")
            return None
        if upstream.suffix and not url_path.endswith("/v1"):
            url += upstream.suffix
        elif not url_path and upstream.api != "anthropic-messages":
            url += "/v1"  # where OpenAI-compatible servers have their API
        return url, origin

    def _credential(
        self, params: YamlMapping, path: KeyPath, upstream: Upstream, *, is_home: bool
    ) -> dict[str, Any]:
        given = text_of(params.get("api_key"))
        if given is None:
            if upstream.variable is not None and (is_home or upstream.base_url is None):
                return {"apiKey": f"${{{upstream.variable}}}"}
            return {}  # the key of OpenAI does not go to another address
        if _VARIABLE.match(given):
            return {"apiKey": reference_or_text(given)}
        if (problem := secret_problem(given)) is not None:
            self._notes.add(
                params, (*path, "api_key"), f"the key {problem}, so the provider is written without one"
            )
            return {}
        return {"apiKey": reference_or_text(given)}

    def _settings(self, params: YamlMapping, path: KeyPath, origin: Origin | None) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for key in ("headers", "extra_headers"):
            given = params.get(key)
            given = given if isinstance(given, YamlMapping) else YamlMapping("")
            for name, value in given.items():
                if (text := text_of(value)) is None:
                    self._notes.add(given, (*path, key, name), "the header is left out: its value is no text")
                else:
                    headers[name] = reference_or_text(text)
        if organization := text_of(params.get("organization")):
            headers["OpenAI-Organization"] = reference_or_text(organization)
        if headers:
            settings["headers"] = headers
        seconds = seconds_of(params.get("timeout"))
        if params.get("timeout") is not None and seconds is None:
            self._notes.add(params, (*path, "timeout"), "it is no number of seconds")
        if (limit := seconds or self._timeout) is not None:
            settings["timeoutSeconds"] = int(limit) if limit == int(limit) else limit
        if origin is not None and _may_be_private(origin.host):
            if self._allow_private:
                settings["request"] = {"allowPrivateNetwork": True}
            else:
                message = "the address is private, and requests to it are refused until that is allowed"
                key = "api_base" if params.get("api_base") else "base_url"
                self._notes.add(params, (*path, key), message, "import with --allow-private-network")
        return settings


def _may_be_private(host: str) -> bool:
    """Whether the host is private, or a name without a dot, which a resolver of this network knows."""
    return host_kind(host) in PRIVATE_KINDS or not set(host) & {".", ":"}


def _model(name: str, info: YamlMapping) -> dict[str, Any] | None:
    if "*" in name:
        return None
    responses = name.startswith("responses/")
    name = name.removeprefix("responses/")
    model: dict[str, Any] = {"id": name, "name": name}
    if responses or info.get("mode") == "responses":
        model["api"] = "openai-responses"
    for key, ours in (("max_input_tokens", "contextWindow"), ("max_output_tokens", "maxTokens")):
        if isinstance(tokens := info.get(key), int) and tokens > 0:
            model[ours] = tokens
    if info.get("supports_vision") is True:
        model["input"] = ["text", "image"]
    if info.get("supports_reasoning") is True:
        model["reasoning"] = True
    return model
