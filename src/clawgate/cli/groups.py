"""Groups of commands: one that runs a default verb, and the rule for an unknown command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import click


class DefaultVerbGroup(click.Group):
    """A group that runs ``default`` if no verb is given, with the options that follow: ``models aliases --json``.

    Its own options (``--help``) come first, as everywhere.
    """

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        is_option = bool(args) and args[0].startswith("-") and args[0] not in own
        if (not args or is_option) and not ctx.resilient_parsing:  # completion offers the verbs
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_option = args[0].startswith("-")
        if not (is_option or ctx.resilient_parsing) and self.get_command(ctx, args[0]) is None:
            fail_unknown_command(args[0], self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)


def _groups_with(name: str, command: click.Command, context: click.Context, path: str = "") -> Iterator[str]:
    """Yield the groups within ``command`` that have a command of this name."""
    for one in command.list_commands(context) if isinstance(command, click.Group) else ():
        group = command.get_command(context, one) if isinstance(command, click.Group) else None
        if isinstance(group, click.Group):
            if group.get_command(context, name) is not None:
                yield f"{path}{one}"
            yield from _groups_with(name, group, context, f"{path}{one} ")


def fail_unknown_command(name: str, known: Iterable[str], context: click.Context) -> NoReturn:
    """Raise a usage error for a command that does not exist, with the one that was probably meant."""
    from clawgate.policy.typos import typo_of

    near = typo_of(name, known)
    here = context.command_path.removeprefix(context.find_root().command_path).strip()
    groups = _groups_with(name, context.command, context, f"{here} " if here else "")
    # A command that exists somewhere is meant rather than one here that is only written alike.
    places = [f"{group} {name}" for group in groups] or ([near] if near else [])
    suggestion = f" Did you mean {' or '.join(map(repr, places))}?" if places else ""
    shown = name if name.isprintable() else ascii(name)[1:-1]
    raise click.UsageError(f"No such command '{shown}'.{suggestion}", context)
