"""Reads which agent, session and model a request means, from its ``model`` and headers.

Law: a name that is no agent's is an error, never the default agent. Names of agents are compared without regard to
case. Another caller's session cannot be named: a key always lies within an agent, and a session within its caller.
Whether a request is for an agent at all is decided before. Source of names and texts: OpenClaw 2026.9.6, recorded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from clawgate.agents.request.refusal import listing, reject, shown
from clawgate.policy.model_routing import DEFAULT_NAMES, ModelRef, names_agent

DEFAULT = "default"
"""The name of the agent that the config chooses."""

AGENT_HEADER = "x-openclaw-agent-id"
MODEL_HEADER = "x-openclaw-model"
SESSION_HEADER = "x-openclaw-session-key"
CHAT_HEADER = "x-openwebui-chat-id"
USER_HEADER = "x-openwebui-user-id"
"""Open WebUI itself sends it beside the chat's; another client may have the chat's alone."""
CONVERSATION = "conversation"
"""The field of a Responses request that names a session."""

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
    """A session of an agent. ``is_kept`` is False for the session of one request, which is never found again.

    ``sends_all``: its client is known to send the whole conversation, also where that is one message.
    """

    text: str
    is_kept: bool = True
    sends_all: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """``model`` is the override of the agent's model, as the client wrote it; None where there is none."""

    agent: str
    session: SessionKey
    model: str | None


def read_target(
    model: str,
    headers: Mapping[str, str],
    user: str,
    agents: AgentNames,
    *,
    fresh: str,
    conversation: str = "",
) -> Target:
    """Return what a request for an agent means. Raises `InvalidRequest`.

    ``headers`` are those of `AdmittedHead.agent_headers`, ``user`` and ``conversation`` are OpenAI's fields, ``fresh``
    is a name that was never used.
    """
    for name in (AGENT_HEADER, MODEL_HEADER, SESSION_HEADER, CHAT_HEADER):
        _check(headers.get(name, ""), name)
    if names_agent(override := headers.get(MODEL_HEADER, "")):
        reject(
            MODEL_HEADER,
            f"Invalid `{MODEL_HEADER}`: '{shown(override)}' names an agent, not a model. Use `provider/model`, an "
            f"alias, or the id of a model that the agent's own provider lists; the agent is named by `model`, or by "
            f"`{AGENT_HEADER}`.",
        )
    named = _agent_of_model(model, agents)
    header = headers.get(AGENT_HEADER)
    agent = agents.find(header, AGENT_HEADER) if header else named
    session = _session_of(agent, headers, user.strip(), fresh)
    if conversation:
        _check(conversation, CONVERSATION)
        named_too, session = (
            headers.get(SESSION_HEADER),
            SessionKey(_explicit(agent, conversation, CONVERSATION)),
        )
        if named_too and _explicit(agent, named_too) != session.text:
            reject(
                CONVERSATION, f"`{CONVERSATION}` and `{SESSION_HEADER}` name two sessions; send one of them."
            )
    return Target(agent, session, headers.get(MODEL_HEADER) or None)


def model_name(
    override: str,
    default: ModelRef | None,
    aliases: Collection[str],
    listed: Mapping[str, Collection[str]],
) -> str:
    """Return the name in full of an overriding model: a bare id is one that the default model's provider lists.

    Of a provider that lists none, every id may be one; the name of an agent never is.
    """
    folded = override.strip().casefold()
    if default is None or "/" in override or names_agent(override):
        return override
    if folded in DEFAULT_NAMES:
        return str(default)
    ids = listed.get(default.provider, ())
    if any(alias.casefold() == folded for alias in aliases) or (ids and override not in ids):
        return override
    return str(ModelRef(default.provider, override))


def _agent_of_model(model: str, agents: AgentNames) -> str:
    stripped = model.strip()
    if not stripped or stripped.lower() == "openclaw":
        return agents.default
    match = _NAMED.fullmatch(stripped)
    if match is None or not match["id"].strip():
        reject("model", f"Invalid `model`. Use `openclaw` or `openclaw/<agentId>`. {agents.known()}")
    return agents.find(match["id"])


def _session_of(agent: str, headers: Mapping[str, str], user: str, fresh: str) -> SessionKey:
    if key := headers.get(SESSION_HEADER):
        return SessionKey(_explicit(agent, key))
    if chat := headers.get(CHAT_HEADER):
        # `local:`: a temporary chat, which Open WebUI itself does not store.
        is_kept = not chat.startswith("local:")
        return SessionKey(f"agent:{agent}:openwebui:{chat}", is_kept, sends_all=USER_HEADER in headers)
    if user:
        _check(user, "user")
        return SessionKey(f"agent:{agent}:openai-user:{user}")
    return SessionKey(f"agent:{agent}:openai:{fresh}", is_kept=False)


def _explicit(agent: str, key: str, param: str = SESSION_HEADER) -> str:
    """Return the session of an explicit key; ``main`` is the agent's main session."""
    parts = key.split(":")
    while parts[0].strip().lower() == "agent":
        if len(parts) < 3 or not parts[2].strip():
            reject(param, f"`{param}` must be `agent:<agentId>:<name>` or a name.")
        if parts[1].strip().lower() != agent:
            wrong = f"`{param}` names a session of agent '{shown(parts[1])}'"
            reject(param, f"{wrong}, and the request is for '{agent}'.")
        parts = parts[2:]
    if parts[0].strip().lower() in _RESERVED:
        reject(param, f"`{param}` cannot use reserved internal session namespaces.")
    if not parts[0].strip():
        reject(param, f"`{param}` must be `agent:<agentId>:<name>` or a name.")
    session = f"agent:{agent}:{':'.join(parts)}"
    if len(session) > _MAX_KEY:
        reject(param, f"`{param}` must have at most {_MAX_KEY} characters, as {shown(session)}.")
    return session


def _check(value: str, name: str) -> None:
    if len(value) > _MAX_KEY:
        reject(name, f"`{name}` must have at most {_MAX_KEY} characters.")
    if not value.isprintable():
        reject(name, f"`{name}` must not contain characters that cannot be printed.")
    if value.startswith("{{"):  # one session for all conversations otherwise
        reject(name, f"`{name}` is a placeholder that the client did not fill in: {shown(value)}")
