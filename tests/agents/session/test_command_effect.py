"""What a slash command does to its session."""

from __future__ import annotations

import pytest

from clawgate.agents.request.slash_commands import Facts, SlashCommand
from clawgate.agents.session.command_effect import CommandEffect, effect_of
from clawgate.errors import ModelNotFound
from clawgate.policy.model_routing import ModelRef

FACTS = Facts(agent="main", default="up/m", chosen="up/other", session="agent:main:s", turns=4)


def choose(name: str) -> ModelRef:
    if name != "new":
        raise ModelNotFound(f"there is no '{name}'")
    return ModelRef("up", "new")


def effect(command: SlashCommand, facts: Facts = FACTS) -> CommandEffect:
    return effect_of(command, facts, choose)


def test_a_model_is_set_by_its_full_name() -> None:
    made = effect(SlashCommand("model set", "new"))
    assert made.session_model == "up/new" and "up/new" in made.reply


def test_a_model_that_cannot_be_used_changes_nothing() -> None:
    assert effect(SlashCommand("model set", "nope")) == CommandEffect("there is no 'nope'")


def test_the_agents_own_model_is_no_choice_of_the_session() -> None:
    made = effect(SlashCommand("model default"))
    assert made.session_model == "" and "up/m" in made.reply and "up/other" not in made.reply


def test_a_session_begins_anew() -> None:
    made = effect(SlashCommand("new"))
    assert made.begins_anew and made.session_model is None and "up/m" in made.reply


@pytest.mark.parametrize("name", ["help", "status", "model", "model list", "model status"])
def test_the_others_only_reply(name: str) -> None:
    made = effect(SlashCommand(name))  # type: ignore[arg-type]
    assert made.reply and made == CommandEffect(made.reply)


@pytest.mark.parametrize("name", ["new", "model default", "model set"])
def test_without_a_session_there_is_nothing_to_change(name: str) -> None:
    facts = Facts(agent="main", default="up/m")
    made = effect(SlashCommand(name, "new"), facts)  # type: ignore[arg-type]
    assert made == CommandEffect(made.reply) and "no session" in made.reply
