"""A command of a plugin: what the type checker and the loader take for one."""

from __future__ import annotations

from collections.abc import Sequence

from clawgate.plugins.api.command import CommandContext, CommandPlugin


class Command:
    name = "sample"
    help = "A sample."

    def run(self, context: CommandContext, arguments: Sequence[str]) -> int:
        return len(arguments)


def test_an_object_with_all_members_is_a_command_and_one_without_run_is_none() -> None:
    command: CommandPlugin = Command()
    assert isinstance(command, CommandPlugin)
    assert not isinstance(object(), CommandPlugin)
