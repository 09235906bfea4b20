"""Decides what a slash command does to its session, and what is replied.

Pure: what it needs of the config is passed in, and the session is changed by its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from clawgate.agents.request.slash_commands import Facts, SlashCommand, reply_to
from clawgate.errors import GatewayError
from clawgate.policy.model_routing import ModelRef


@dataclass(frozen=True, slots=True)
class CommandEffect:
    """``session_model`` becomes the session's model, empty for the agent's own, None for no change."""

    reply: str
    session_model: str | None = None
    begins_anew: bool = False


def effect_of(command: SlashCommand, facts: Facts, choose: Callable[[str], ModelRef]) -> CommandEffect:
    """``facts`` are those before the command; ``choose`` returns the model that a name means, or raises why not."""
    if facts.session is None:
        return CommandEffect(reply_to(command, facts))
    match command.name:
        case "new":
            return CommandEffect(reply_to(command, replace(facts, chosen=None, turns=0)), begins_anew=True)
        case "model default":
            return CommandEffect(reply_to(command, replace(facts, chosen=None)), session_model="")
        case "model set":
            try:
                chosen = str(choose(command.model))
            except GatewayError as error:
                return CommandEffect(reply_to(command, facts, error.message))
            return CommandEffect(reply_to(command, replace(facts, chosen=chosen)), session_model=chosen)
    return CommandEffect(reply_to(command, facts))
