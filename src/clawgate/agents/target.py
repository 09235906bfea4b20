"""Reads which agent, session and model a request means, from its ``model`` and headers.

Law: a name that is no agent's is an error, never the default agent, and a header that names one is refused where it
would have no effect. Names of agents are compared without regard to case. Another caller's session cannot be named: a
key always lies within an agent, and a session within its caller. Source of names and texts: OpenClaw 2026.9.6,
recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from clawgate.agents.refusal import listing, reject, shown
from clawgate.policy.model_routing import ModelRef

DEFAULT = "default"
"""The name of the agent that the config chooses."""

AGENT_HEADER = "x-openclaw-agent-id"
MODEL_HEADER = "x-openclaw-model"
SESSION_HEADER = "x-openclaw-session-key"
CHANNEL_HEADER = "x-openclaw-message-channel"
CHAT_HEADER = "x-openwebui-chat-id"
"""The conversation in Open WebUI, which sends it to every upstream: without effect for a model that is no agent."""

_MEANS_AGENT = (AGENT_HEADER, MODEL_HEADER, SESSION_HEADER, CHANNEL_HEADER)
_READ = frozenset((*_MEANS_AGENT, CHAT_HEADER))

_NAMED = re.compile(r"(?:openclaw[/:]|agent:)(?P<id>.*)", re.IGNORECASE | re.DOTALL)
_RESERVED = ("subagent", "cron", "acp")
"""Namespaces of sessions that OpenClaw itself makes."""
_MAX_KEY = 512
"""Characters of a session key; the longest that a client was seen to send has 90."""


@dataclass(frozen=True, slots=True)
class AgentNames:
    """The agents of the config: their ids, in lower case, and which of them is the default."""

    ids: Collection[str]
    default: str

    def find(self, name: str, param: str = "model") -> str:
        """Return the id that ``name`` means. Raises `InvalidRequest`."""
        wanted = name.strip().lower()
        if wanted == DEFAULT and DEFAULT not in self.ids:
            return self.default
        if wanted not in self.ids:
            reject(param, f"Unknown agent '{shown(name)}'. {self.known()}")
        return wanted

    def known(self) -> str:
        return f"The agents are: {listing(sorted(self.ids))}."


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A session of an agent. ``is_kept`` is False for the session of one request, which is never found again."""

    text: str
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """``model`` is the override of the agent's model, as the client wrote it; None where there is none."""

    agent: str
    session: SessionKey
    model: str | None


def read_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that mean an agent or a session, by their names in lower case; empty ones are ignored.

    Raises `InvalidRequest` for one that is given twice, too long, or not printable.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower(), value.strip()
        if key not in _READ or not text:
            continue
        if key in found:
            reject(key, f"`{key}` is given more than once.")
        found[key] = _checked(text, key)
    return found


def names_agent(model: str) -> bool:
    """Whether ``model`` has the form of an agent's name, so that no provider can be meant."""
    stripped = model.strip()
    return not stripped or stripped.lower() == "openclaw" or _NAMED.fullmatch(stripped) is not None


def means_agent(model: str, headers: Mapping[str, str], is_direct: Callable[[str], bool]) -> bool:
    """Whether a request is for an agent, and not for a provider's model itself.

    ``headers`` are those of `read_headers`; ``is_direct`` is whether a name is an alias, or a model of a provider
    that the catalog knows. What is neither is read as an agent's name, and refused as one. Raises `InvalidRequest` for
    a header that would have no effect.
    """
    if names_agent(model) or not is_direct(model):
        return True
    for name in _MEANS_AGENT:
        if name in headers:
            advice = "remove the header, or name an agent, as `openclaw/default`, in `model`"
            reject(name, f"`{name}` is for agents, and '{shown(model)}' is a provider's model; {advice}.")
    return False


def read_target(
    model: str, headers: Mapping[str, str], user: str, agents: AgentNames, *, fresh: str, hint: str = ""
) -> Target:
    """Return what a request for an agent means. Raises `InvalidRequest`.

    ``user`` is OpenAI's field, ``fresh`` a name that was never used, ``hint`` a sentence on direct use for the error.
    """
    named = _agent_of_model(model, agents, hint)
    header = headers.get(AGENT_HEADER)
    agent = agents.find(header, AGENT_HEADER) if header else named
    return Target(agent, _session_of(agent, headers, user.strip(), fresh), headers.get(MODEL_HEADER))


def model_name(override: str, default: ModelRef | None, is_direct: Callable[[str], bool]) -> str:
    """Return the name in full of an overriding model: a bare id is one of the default model's provider."""
    if "/" in override or default is None or is_direct(override):
        return override
    return str(ModelRef(default.provider, override))


def _agent_of_model(model: str, agents: AgentNames, hint: str) -> str:
    stripped = model.strip()
    if not stripped or stripped.lower() == "openclaw":
        return agents.default
    match = _NAMED.fullmatch(stripped)
    if match is None or not match["id"].strip():
        usage = "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."
        reject("model", " ".join(filter(None, (usage, agents.known(), hint))))
    return agents.find(match["id"])


def _session_of(agent: str, headers: Mapping[str, str], user: str, fresh: str) -> SessionKey:
    if key := headers.get(SESSION_HEADER):
        return SessionKey(_explicit(agent, key))
    if chat := headers.get(CHAT_HEADER):
        return SessionKey(f"agent:{agent}:openwebui:{chat}")
    if user:
        return SessionKey(f"agent:{agent}:openai-user:{_checked(user, 'user')}")
    return SessionKey(f"agent:{agent}:openai:{fresh}", is_kept=False)


def _explicit(agent: str, key: str) -> str:
    """Return the session of an explicit key; ``main`` is the agent's main session."""
    parts = key.split(":")
    while parts[0].strip().lower() == "agent":
        if len(parts) < 3 or not parts[2].strip():
            reject(SESSION_HEADER, f"`{SESSION_HEADER}` must be `agent:<agentId>:<name>` or a name.")
        if parts[1].strip().lower() != agent:
            wrong = f"`{SESSION_HEADER}` names a session of agent '{shown(parts[1])}'"
            reject(SESSION_HEADER, f"{wrong}, and the request is for '{agent}'.")
        parts = parts[2:]
    if parts[0].strip().lower() in _RESERVED:
        reject(SESSION_HEADER, f"`{SESSION_HEADER}` cannot use reserved internal session namespaces.")
    return f"agent:{agent}:{':'.join(parts)}"


def _checked(value: str, name: str) -> str:
    if len(value) > _MAX_KEY:
        reject(name, f"`{name}` must have at most {_MAX_KEY} characters.")
    if not value.isprintable():
        reject(name, f"`{name}` must not contain characters that cannot be printed.")
    return value
