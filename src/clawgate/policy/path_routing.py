"""Matches paths, methods and query parameters against a route table. Invariant: what is not listed does not pass."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from clawgate.errors import MethodNotAllowed, UnknownRoute


@dataclass(frozen=True, slots=True)
class RouteTable:
    """``exact`` maps a path to its methods, ``prefixes`` the beginning of paths.

    The keys of ``prefixes`` end with '/'; the rest of the path is not checked here (`wire.http.message.split_target`
    did). ``query`` maps the same keys to the names of the query parameters that go upstream. No other
    parameter does: a query ends up in logs, and some servers take a credential from it.
    """

    exact: dict[bytes, tuple[bytes, ...]]
    prefixes: dict[bytes, tuple[bytes, ...]]
    query: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)
    off: Mapping[bytes, str] = field(default_factory=dict)
    """The routes that are switched off, with how to switch them on; keys as those of both."""

    def check(self, method: bytes, path: bytes, beside: Collection[bytes] = ()) -> None:
        """Raises `UnknownRoute` or `MethodNotAllowed`. ``beside`` are paths and prefixes that others serve."""
        allowed = self._methods(path)
        if allowed is None:
            if (off := next((one for one in self.off if is_among(path, (one,))), None)) is not None:
                raise UnknownRoute(f"the route '{_text(path)}' is off: {self.off[off]}")
            raise self.unknown_route(path, beside)
        if method not in allowed:
            allow = tuple(name.decode("ascii") for name in allowed)
            raise MethodNotAllowed(
                f"method {method.decode('ascii')} is not allowed on this route; use {' or '.join(allow)}",
                allow=allow,
            )

    def unknown_route(self, path: bytes, beside: Collection[bytes] = ()) -> UnknownRoute:
        """Return the error of a path that is no route, with the route that is meant, see `nearest`."""
        near = self.nearest(path, beside)
        note = " (see /v1 in the base URL)" if near and near.count(_V1) != path.count(_V1) else ""
        hint = f"did you mean {_text(near)}{note}? " if near else ""
        return UnknownRoute(f"unknown route '{_text(path)}'; {hint}{self._known(beside)}")

    def nearest(self, path: bytes, beside: Collection[bytes] = ()) -> bytes | None:
        """Return the route that is meant by a path with slashes too many, or with /v1 twice or not at all.

        OpenAI's SDKs append "/chat/completions" to their base URL, Anthropic's "/v1/messages"; both append what they
        append also to a base URL that is a whole endpoint.
        """
        plain = _SLASHES.sub(b"/", path).rstrip(b"/")
        rest = _V1_IN_FRONT.sub(b"", plain)
        candidates = (b"/v1" + rest, rest)
        near = next((one for one in candidates if self._methods(one) or is_among(one, beside)), None)
        ends = (route for route in self.exact if rest and plain.endswith(route.removeprefix(b"/v1")))
        return near or max(ends, key=len, default=None)

    def query_upstream(self, path: bytes, query: bytes) -> bytes:
        """Return ``query`` (with its ``?``, or empty) without the parameters that are not allowed for ``path``."""
        if not query:
            return b""
        route = (
            path
            if path in self.exact
            else next((start for start in self.prefixes if path.startswith(start)), b"")
        )
        names = self.query.get(route, frozenset())
        kept = [pair for pair in query[1:].split(b"&") if _parameter(pair) in names and b";" not in pair]
        return b"?" + b"&".join(kept) if kept else b""

    def _methods(self, path: bytes) -> tuple[bytes, ...] | None:
        if path in self.exact or path in self.prefixes:
            return self.exact.get(path)
        return next((methods for start, methods in self.prefixes.items() if path.startswith(start)), None)

    def _known(self, beside: Collection[bytes]) -> str:
        served = [*self.exact, *self.prefixes, *beside]
        paths = [path + b"..." if path.endswith(b"/") else path for path in served]
        return "routes: " + (", ".join(path.decode("ascii") for path in paths) or "none")


_V1 = b"/v1"
_SLASHES = re.compile(rb"/{2,}")
_V1_IN_FRONT = re.compile(rb"\A(?:/v1)+(?=/|\Z)")


def is_among(path: bytes, served: Collection[bytes]) -> bool:
    """Return whether ``path`` is one of ``served``, or below one that ends in '/'."""
    return any(path == own or (own.endswith(b"/") and path.startswith(own)) for own in served)


def _text(path: bytes) -> str:
    return path[:200].decode("ascii", "replace")


def _parameter(pair: bytes) -> bytes:
    """The name of a query parameter; of ``include[]`` and ``metadata[key]`` what is before the bracket."""
    return unquote_to_bytes(pair.partition(b"=")[0]).partition(b"[")[0]


_POST = (b"POST",)
_GET = (b"GET", b"HEAD")

_PAGES = frozenset({b"after", b"after_id", b"before", b"before_id", b"limit"})
_PARAMETERS = _PAGES | {
    b"api-version", b"beta", b"filter", b"include", b"include_obfuscation", b"metadata", b"model", b"order",
    b"order_by", b"purpose", b"run_id", b"starting_after", b"status", b"stream", b"variant",
}  # fmt: skip
"""Those of the API references of OpenAI and Anthropic, and the version that Azure wants."""

ANYTHING_BELOW_V1 = RouteTable(
    exact={},
    prefixes={b"/v1/": (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")},
    query={b"/v1/": _PARAMETERS},
)
"""Of the bridge: the remote decides which routes it has."""

MODEL_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/responses": _POST,
        b"/v1/responses/input_tokens": _POST,
        b"/v1/embeddings": _POST,
        b"/v1/completions": _POST,
        b"/v1/models": _GET,
    },
    prefixes={b"/v1/models/": _GET},
    query={b"/v1/models": _PAGES},
)
"""Of the server: uses of the key, and nothing that reads or changes the key owner's account."""

AGENTS_SWITCH = "gateway.http.endpoints.chatCompletions.enabled"
RESPONSES_SWITCH = "gateway.http.endpoints.responses.enabled"
MODELS_SWITCH = "plugins.entries.clawgate.config.directModels"
OLLAMA_SWITCH = "plugins.entries.clawgate.config.ollamaTags"
OLLAMA_PATHS = (b"/api/tags", b"/api/version")
"""What clients of Ollama request before they use its `/v1`."""
_MODELS = f"set {MODELS_SWITCH} to true to serve provider/model here"
_BOTH = f"{_MODELS}, or {AGENTS_SWITCH} to serve agents"

EMBEDDINGS_PATH = b"/v1/embeddings"
RESPONSES_PATH = b"/v1/responses"
COUNT_TOKENS_PATH = b"/v1/messages/count_tokens"
INPUT_TOKENS_PATH = b"/v1/responses/input_tokens"
AGENT_PATHS: Mapping[bytes, str] = {
    b"/v1/chat/completions": AGENTS_SWITCH,
    b"/v1/messages": AGENTS_SWITCH,
    COUNT_TOKENS_PATH: AGENTS_SWITCH,
    RESPONSES_PATH: RESPONSES_SWITCH,
    INPUT_TOKENS_PATH: RESPONSES_SWITCH,
    EMBEDDINGS_PATH: AGENTS_SWITCH,
}
"""Where an agent may be named, with the switch of each; every other route is one of models."""


STORED_RESPONSES = RESPONSES_PATH + b"/"
CONVERSATIONS_PATH = b"/v1/conversations"
_OF_STORED = frozenset(
    {b"after", b"include", b"include_obfuscation", b"limit", b"order", b"starting_after", b"stream"}
)


def agent_paths(*, chat: bool, responses: bool) -> frozenset[bytes]:
    """Return the paths at which agents are on, by the two switches."""
    on = {AGENTS_SWITCH: chat, RESPONSES_SWITCH: responses}
    return frozenset(path for path, switch in AGENT_PATHS.items() if on[switch])


GATEWAY_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/messages": _POST,
        COUNT_TOKENS_PATH: _POST,
        b"/v1/responses": _POST,
        INPUT_TOKENS_PATH: _POST,
        b"/v1/embeddings": _POST,
        b"/v1/completions": _POST,
    },
    prefixes={},
    query={b"/v1/messages": frozenset({b"beta"}), COUNT_TOKENS_PATH: frozenset({b"beta"})},
)
"""Of the gateway: every route names a model in its body."""


def gateway_routes(*, agents: frozenset[bytes], models: bool, ollama: bool = False) -> RouteTable:
    """Return the routes of a gateway that serves ``models``, ``agents`` at these paths, both or neither.

    ``ollama``: the control API serves `OLLAMA_PATHS`.
    """
    if not (models or agents):
        each = {path: _off(path) for path in GATEWAY_ROUTES.exact}
        return RouteTable(exact={}, prefixes={}, off={**each, b"/v1/": _BOTH})
    exact, query = GATEWAY_ROUTES.exact, GATEWAY_ROUTES.query
    on = {path: methods for path, methods in exact.items() if models or path in agents}
    off = {path: _off(path) for path in exact.keys() - on}
    if not ollama:
        off |= dict.fromkeys(
            OLLAMA_PATHS, f"set {OLLAMA_SWITCH} to true to list models for clients of Ollama"
        )
    if RESPONSES_PATH in agents:
        methods: tuple[bytes, ...] = (b"GET", b"POST", b"DELETE")
        stored = dict.fromkeys((STORED_RESPONSES, CONVERSATIONS_PATH + b"/"), methods)
        on[CONVERSATIONS_PATH] = _POST
        return RouteTable(
            exact=on, prefixes=stored, query={**query, **dict.fromkeys(stored, _OF_STORED)}, off=off
        )
    off[STORED_RESPONSES] = f"set {RESPONSES_SWITCH} to true to keep responses"
    conversations = f"set {RESPONSES_SWITCH} to true to keep conversations"
    off |= {CONVERSATIONS_PATH: conversations, CONVERSATIONS_PATH + b"/": conversations}
    return RouteTable(exact=on, prefixes={}, query=query, off=off)


def _off(path: bytes) -> str:
    switch = AGENT_PATHS.get(path)
    return f"{_MODELS}, or {switch} to serve agents" if switch is not None else _MODELS
