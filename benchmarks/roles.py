"""What job does a contender do, which credentials belong to it, and what do its two ends speak?

*bridge*: the client's Bearer is dropped, X-Proxy-Token is set. *server*: X-Proxy-Token is dropped, the real key is
set, an access log is written. *gateway*: the run's token is dropped, the key of the provider that `model` names is
set, and its prefix is taken off `model`. Roles with *to* are the gateway's where it translates, *model* is
where the provider speaks what the client does, and *agent* where such a model serves an agent. *direct* roles are no
contender's: there the load generator talks to the upstream, the floor under every latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "direct",
    "bridge",
    "server",
    "gateway",
    "to-chat",
    "to-messages",
    "responses-to-chat",
    "responses-to-messages",
    "chat-to-responses",
    "messages-to-responses",
    "model",
    "agent",
    "direct-chat",
    "direct-messages",
    "direct-responses",
]
Dialect = Literal["relayed", "chat", "messages", "responses"]
"""*relayed* is chat, too, but bytes are compared instead of parsed: for whom passes them on as they are."""
Credential = tuple[str, str]

CLIENT_KEY = "sk-client-of-the-benchmark-0123456789"
REAL_KEY = "sk-bench-0123456789abcdef0123456789"
MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Ends:
    """What the client speaks, what the upstream speaks, and what stands before the model's name."""

    client: Dialect
    upstream: Dialect
    prefix: str = ""

    @property
    def model(self) -> str:
        """The model that the client names."""
        return self.prefix + MODEL


_PLAIN = Ends("relayed", "relayed")
ENDS: dict[Role, Ends] = {
    "direct": _PLAIN,
    "bridge": _PLAIN,
    "server": _PLAIN,
    "gateway": Ends("relayed", "relayed", "bench/"),
    "to-chat": Ends("messages", "chat", "bench-chat/"),
    "to-messages": Ends("chat", "messages", "bench-messages/"),
    "responses-to-chat": Ends("responses", "chat", "bench-responses-chat/"),
    "responses-to-messages": Ends("responses", "messages", "bench-responses-messages/"),
    "chat-to-responses": Ends("chat", "responses", "bench-chat-responses/"),
    "messages-to-responses": Ends("messages", "responses", "bench-messages-responses/"),
    "model": Ends("chat", "chat", "bench-model/"),
    "agent": Ends("chat", "chat", "openclaw/"),
    "direct-chat": Ends("chat", "chat"),
    "direct-messages": Ends("messages", "messages"),
    "direct-responses": Ends("responses", "responses"),
}
OF_RESPONSES: tuple[Role, ...] = (
    "responses-to-chat",
    "responses-to-messages",
    "chat-to-responses",
    "messages-to-responses",
)
"""The directions of the third dialect, which the contenders beside ours are not started for."""


def credential_of_client(role: Role, token: str) -> Credential:
    if role == "server":
        return "X-Proxy-Token", token
    if role in ("to-chat", "messages-to-responses"):
        return "x-api-key", token
    of_gateway = role in ("gateway", "to-messages", "model", "agent", *OF_RESPONSES)
    return "Authorization", f"Bearer {token if of_gateway else CLIENT_KEY}"


def credential_upstream(role: Role, token: str) -> Credential:
    """Its name in small letters."""
    if role == "bridge":
        return "x-proxy-token", token
    if ENDS[role].upstream == "messages":
        return "x-api-key", REAL_KEY
    return "authorization", f"Bearer {REAL_KEY}"


def rules_for_upstream(token: str) -> dict[Role, dict[str, str]]:
    """For each role what the upstream must find once, what it must never find, and what it speaks."""
    rules: dict[Role, dict[str, str]] = {}
    for role, ends in ENDS.items():
        expected, forbidden = REAL_KEY, token
        if role == "bridge":
            expected, forbidden = token, CLIENT_KEY
        elif role.startswith("direct"):
            expected = forbidden = ""
        rules[role] = {"expected": expected, "forbidden": forbidden, "dialect": ends.upstream}
    return rules
