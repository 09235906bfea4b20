"""Recognises commands in a user's turn, such as ``/model list``, and writes the replies to them.

Pure: what a command does is for its caller. Law: a command is all that the turn says; any other text that begins with a
slash is for the model, such as a path. Names and arguments: OpenClaw 2026.9.6, its documentation of slash commands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clawgate.agents.request.chat_messages import Conversation, Message, text_of
from clawgate.agents.request.refusal import shown

Name = Literal["help", "status", "new", "model", "model list", "model status", "model set", "model default"]

_COMMAND = re.compile(
    r"/(?P<name>help|status|new|reset|model)(?:(?:[ \t]*:[ \t]*|[ \t]+)(?P<rest>\S+))?", re.IGNORECASE
)
_HELP = """\
Commands, each as a message of its own:
/model - which model this session uses
/model list - the models that it can use
/model status - the model, its fallbacks, and whether they are ready
/model <provider/model or alias> - use another one from now on
/model default - use the agent's own again
/new - begin the session anew (also /reset)
/status - the agent, the session and the model
/help - this list"""
_NO_SESSION = (
    "This request has no session, so nothing of it is kept. Name one with `user`, or with the header "
    "`x-openclaw-session-key`."
)
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """``model`` is what ``model set`` names."""

    name: Name
    model: str = ""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that can be chosen; ``problem`` is why it cannot be used now, empty where it can."""

    name: str
    alias: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the replies say. ``session`` is None for a request that keeps none; ``chosen`` is set by /model."""

    agent: str
    default: str
    chosen: str | None = None
    fallbacks: tuple[str, ...] = ()
    models: tuple[ListedModel, ...] = ()
    session: str | None = None
    turns: int = 0
    version: str = ""

    @property
    def model(self) -> str:
        return self.chosen or self.default


def command_of(turns: Sequence[Message]) -> SlashCommand | None:
    """Return the command that the last turn of a request is, None if it is a turn like any other."""
    if not turns or turns[-1]["role"] != "user":
        return None
    content = turns[-1].get("content")
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        return None
    match = _COMMAND.fullmatch(text_of(turns[-1]).strip())
    if match is None:
        return None
    name, rest = match["name"].lower(), match["rest"]
    if name == "model":
        return _model_command(rest)
    if rest is not None:
        return None
    return SlashCommand("status" if name == "status" else "help" if name == "help" else "new")


def without_commands(conversation: Conversation, *, in_session: bool) -> Conversation:
    """Return a conversation that a client repeats without the commands in it, which no model gets, and their replies.

    ``in_session``: what is before a command that began the session anew is no part of it any more.
    """
    turns, kept = conversation.turns, list[int]()
    replied = {
        index: command
        for index in range(len(turns) - 2)  # a reply at the end is the prompt
        if turns[index + 1]["role"] == "assistant"
        and (command := command_of(turns[index : index + 1])) is not None
    }
    for index in range(len(turns)):
        if index not in replied and index - 1 not in replied:
            kept.append(index)
        elif in_session and index in replied and replied[index].name == "new":
            kept.clear()
    if len(kept) == len(turns):
        return conversation
    places = conversation.places
    return replace(
        conversation,
        turns=tuple(turns[index] for index in kept),
        places=tuple(places[index] for index in kept),
    )


def _model_command(rest: str | None) -> SlashCommand:
    if rest is None:
        return SlashCommand("model")
    match rest.lower():
        case "list":
            return SlashCommand("model list")
        case "status":
            return SlashCommand("model status")
        case "default":
            return SlashCommand("model default")
    return SlashCommand("model set", rest)


def reply_to(command: SlashCommand, facts: Facts, problem: str = "") -> str:
    """Return the reply; ``facts`` are those after the command, ``problem`` is why it could not be done."""
    if problem:
        return problem
    if facts.session is None and command.name in ("new", "model set", "model default"):
        return _NO_SESSION
    match command.name:
        case "help":
            return _HELP
        case "status":
            return _status(facts)
        case "new":
            return f"The session begins anew. Agent: {facts.agent}, model: {facts.model}."
        case "model":
            return (
                f"{_model_line(facts)}\nChange it with /model <provider/model>, list them with /model list."
            )
        case "model list":
            return _list(facts)
        case "model status":
            return _model_status(facts)
    return f"{_model_line(facts)} It is used from the next message on."


def _model_line(facts: Facts) -> str:
    if facts.chosen is not None and facts.chosen != facts.default:
        return f"Model: {facts.chosen}, chosen for this session (the agent's own: {facts.default})."
    return f"Model: {facts.default}, the agent's own."


def _status(facts: Facts) -> str:
    lines = [f"Agent: {facts.agent}", _model_line(facts)]
    if facts.session is None:
        lines.append(_NO_SESSION)
    else:
        lines.append(f"Session: {shown(facts.session)}, {facts.turns} messages")
    return "\n".join([*lines, f"clawgate {facts.version}"] if facts.version else lines)


def _list(facts: Facts) -> str:
    if not facts.models:
        return "The config lists no model. One can still be named as provider/model."
    lines = [_listed(model, facts.model) for model in facts.models[:_MOST_LISTED]]
    more = len(facts.models) - _MOST_LISTED
    return "\n".join(["Models:", *lines, *([f"and {more} more"] if more > 0 else [])])


def _model_status(facts: Facts) -> str:
    problems = {model.name: model.problem for model in facts.models}
    lines = [_model_line(facts)]
    for name in dict.fromkeys((facts.model, *facts.fallbacks)):
        role = "fallback" if name != facts.model else "model"
        lines.append(f"- {role} {name}: {problems.get(name) or 'ready'}")
    return "\n".join(lines)


def _listed(model: ListedModel, current: str) -> str:
    alias = f" ({model.alias})" if model.alias else ""
    mark = " - in use" if model.name == current else ""
    return f"- {model.name}{alias}{mark}{f' - {model.problem}' if model.problem else ''}"
