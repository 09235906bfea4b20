"""The ``clawgate`` command: dispatches to a command, whose module is imported only when that command is called."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clawgate import __version__
from clawgate.cli.errors import failures_as_json
from clawgate.cli.groups import fail_unknown_command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS = {
    "gateway": ("gateway.commands", "The gateway: run, start, stop, restart, status, install."),
    "models": ("models.commands", "Models and providers: list, status, sign in, set default."),
    "providers": ("auth.providers", "Providers: add a server of your own, list, remove."),
    "plugins": ("plugins.commands", "Plugins: list, install, enable, disable, uninstall."),
    "agent": ("chat.agent", "Send one message to an agent."),
    "chat": ("chat.chat", "Talk with an agent in this terminal."),
    "agents": ("agents.commands", "Agents: list, show."),
    "sessions": ("sessions.commands", "Sessions of agents: list, show, export, delete."),
    "usage": ("usage", "Tokens, runs and cost of agents."),
    "config": ("config.commands", "The config file: get, set, unset, validate, explain."),
    "route": ("models.route", "The provider that would serve a request, and the hops to it."),
    "logs": ("gateway.logs", "The log of the gateway."),
    "doctor": ("doctor", "Find problems of the installation, and fix them."),
    "state": ("state.commands", "The database with the state of agents: status, migrate, backup, copy."),
    "mcp": ("mcp.commands", "MCP servers: list, show, accept, test."),
    "egress": ("egress.commands", "Private connections: list, tail, explain, validate."),
    "bridge": ("relay.bridge", "The local bridge: Bearer in, X-Proxy-Token out."),
    "server": ("relay.server", "The remote proxy: tokens in, the real key out."),
    "supervise": ("supervise", "The services of a plugin alone, for another gateway that starts them."),
    "completion": ("completion", "The completion script of a shell, or its installation."),
    "help": ("help", "The help of a command."),
}
"""Each command: the module below `clawgate.cli` that defines it under its name, and its help."""

_SHELL = click.Choice(["bash", "zsh", "fish", "detect"])


def _completion(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    if shell is not None:
        from clawgate.cli import completion

        (completion.install if option.name == "install_completion" else completion.show)(
            context, option, shell
        )


def _plugin_commands() -> dict[str, str]:
    """Those of packages are not searched for: that takes longer than help may."""
    from clawgate.cli.plugins.installed_commands import bundled_commands, installed_commands

    return installed_commands() | bundled_commands()


class _Commands(click.Group):
    """Imports the module of a command only when it is needed: `clawgate --help` has to be quick."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        arguments = tuple(args)  # which are taken from the list
        with failures_as_json(arguments):
            context = super().make_context(info_name, args, *more, **extra)
        context.obj = arguments
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with failures_as_json(ctx.obj):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            from clawgate.cli.plugins.plugin_command import plugin_command

            return plugin_command(cmd_name)
        module = importlib.import_module(f"clawgate.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None:
            return name, command, args[1:]
        if not (name.startswith("-") or ctx.resilient_parsing):
            fail_unknown_command(name, [*_COMMANDS, *_plugin_commands()], ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        commands = sorted(_plugin_commands().items())
        matching = [CompletionItem(name, help=text) for name, text in commands if name.startswith(incomplete)]
        return [*super().shell_complete(ctx, incomplete), *matching]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])
        with formatter.section("Commands of plugins (more: clawgate plugins list)"):
            formatter.write_dl(sorted(_plugin_commands().items()))


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--install-completion",
    is_flag=False,
    flag_value="detect",
    type=_SHELL,
    expose_value=False,
    callback=_completion,
    help="Install shell completion; without a name the shell is detected.",
)
@click.option(
    "--show-completion",
    is_flag=False,
    flag_value="detect",
    type=_SHELL,
    expose_value=False,
    callback=_completion,
    help="Print the shell completion script.",
)
@click.version_option(__version__, "-V", "--version", prog_name="clawgate", message="%(prog)s %(version)s")
def clawgate() -> None:
    """A small, fast, fail-closed LLM gateway that speaks OpenClaw's config, commands and wire contracts."""


def main() -> NoReturn:
    sys.exit(clawgate(prog_name="clawgate"))
