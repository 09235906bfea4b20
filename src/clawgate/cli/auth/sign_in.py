"""Runs the wizard for `models auth login`, `edit` and `logout`: what it gets, how its errors end the command."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from clawgate.cli.auth import messages
from clawgate.cli.auth.wizard import flow
from clawgate.cli.auth.wizard.answers import InvalidAnswer, MissingAnswer
from clawgate.cli.auth.wizard.flags import answers_of, secret_warning
from clawgate.cli.auth.wizard.host_prompter import HostPrompter
from clawgate.cli.auth.wizard.prompter import Aborted, Declined, TerminalPrompter, on_a_terminal
from clawgate.cli.auth.wizard.setup_context import Ports
from clawgate.cli.auth.wizard.targets import ProviderTarget, ProviderTargets, UnknownTarget
from clawgate.cli.auth.wizard.write import write_shown
from clawgate.cli.context import LoadedConfig, load_config, print_effect_of, print_remaining, print_written
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.exit_codes import ExitCode

_MAX_STDIN = 65_536


def run_sign_in(
    provider: str | None,
    config: str | None,
    flags: dict[str, Any],
    *,
    editing: bool = False,
    adding: bool = False,
) -> None:
    """Set up ``provider``, or one that the user chooses; ``flags`` are those of `models auth login`.

    ``adding``: it must be a new one, of any id.
    """
    loaded = load_config(config)
    host = HostPrompter() if flags.get("host_prompts") else None
    prompting = host is not None or (not flags["yes"] and on_a_terminal())
    context = _context(loaded, config, host, prompting=prompting)
    targets = _targets(loaded)
    try:
        if provider is None:
            provider = _choose(targets, context, editing=editing)
        target = targets.add(provider) if adding else targets.find(provider, new=not editing)
        options = _options(target, context, flags, editing=editing)
        if not prompting and not flags["yes"]:
            _fail_without_terminal(target, options, context)
        result = flow.sign_in(target, options, context)
    except (UnknownTarget, flow.SignInFailed) as error:
        fail(str(error), outcome=UNCHANGED)
    except InvalidAnswer as error:
        fail("invalid answers:", error.problems, outcome=UNCHANGED, status=ExitCode.USAGE)
    except MissingAnswer as error:
        messages.fail_missing(error, yes=True)
    except (Aborted, KeyboardInterrupt) as error:
        messages.exit_aborted(declined=isinstance(error, Declined))
    if host is not None:
        host.finish(context.text, target, result.provider, result.change)
    else:
        messages.print_result(loaded, config, result)


def run_sign_out(provider: str, config: str | None, *, yes: bool) -> None:
    loaded = load_config(config)
    targets = _targets(loaded)
    configured = targets.configured()
    if provider not in configured:
        fail(
            f"'{provider}' is not in the config; it has: {', '.join(configured) or 'none'}", outcome=UNCHANGED
        )
    target: ProviderTarget | None = None
    try:
        target = targets.find(provider, new=False)
    except UnknownTarget as error:
        click.echo(f"Warning: {error}. Only the provider's own block and its names are removed.", err=True)
    if not yes and not on_a_terminal():
        fail("not a terminal: pass --yes to confirm", outcome=UNCHANGED)
    try:
        written = flow.sign_out(provider, target, _context(loaded, config, None, prompting=not yes))
    except flow.SignInFailed as error:
        fail(str(error), outcome=UNCHANGED)
    except (Aborted, KeyboardInterrupt) as error:
        messages.exit_aborted(declined=isinstance(error, Declined))
    assert written is not None  # the provider was in the file
    print_written(loaded.path, written)
    print_remaining(written)
    click.echo(f"Signed out: {provider}")
    print_effect_of(loaded.paths, written)
    messages.print_after_logout(loaded, provider)


def _choose(targets: ProviderTargets, context: flow.SignInContext, *, editing: bool) -> str:
    candidates = [one for one in targets.candidates() if one.configured or not editing]
    names = [one.id for one in candidates]
    if context.prompter is None:
        known = ", ".join(names) or "none is configured"
        fail(f"not a terminal: name the provider with --provider: {known}", outcome=UNCHANGED)
    if not names:
        fail("no provider is configured; to set one up: clawgate models auth login", outcome=UNCHANGED)
    labels = [f"{one.label}{' (configured)' if one.configured and not editing else ''}" for one in candidates]
    context.prompter.show("Which provider?")
    return context.prompter.choose_one(
        "Provider",
        list(zip(names, labels, strict=True)),
        names[0],
        lambda text: None if text in names else f"one of {', '.join(names)}",
    )


def _options(
    target: ProviderTarget, context: flow.SignInContext, flags: dict[str, Any], *, editing: bool
) -> flow.SignInOptions:
    questions = flow.questions_of(target, context.setup)[1]
    answers = answers_of(flags, flags["pairs"], questions)
    if warning := secret_warning(answers, questions):
        click.echo(warning, err=True)
    return flow.SignInOptions(
        flags=answers,
        stdin=_read_secrets() if flags["stdin_secret"] else [],
        test_connection=not flags["no_check"],
        set_default=flags["set_default"],
        editing=editing,
    )


def _read_secrets() -> list[str]:
    if sys.stdin.isatty():
        raise click.UsageError(
            "--stdin-secret reads from a pipe; on a terminal you are prompted for the secret"
        )
    secrets = [line for line in sys.stdin.read(_MAX_STDIN).splitlines() if line.strip()]
    if not secrets:
        fail("--stdin-secret: standard input is empty", outcome=UNCHANGED)
    return secrets


def _fail_without_terminal(
    target: ProviderTarget, options: flow.SignInOptions, context: flow.SignInContext
) -> NoReturn:
    try:
        flow.check_answers(target, options, context)
    except MissingAnswer as error:
        messages.fail_missing(error, yes=False)
    fail("not a terminal: pass --yes to confirm; no answer is missing", outcome=UNCHANGED)


def _targets(loaded: LoadedConfig) -> ProviderTargets:
    return ProviderTargets(loaded.file.config, loaded.file.raw, loaded.paths.state, loaded.file.environment)


def _context(
    loaded: LoadedConfig, config: str | None, host: HostPrompter | None, *, prompting: bool
) -> flow.SignInContext:
    running = messages.running_gateway(config)
    prompter = host or (TerminalPrompter() if prompting else None)
    return flow.SignInContext(
        loaded=loaded,
        prompter=prompter,
        show=prompter.show if prompter is not None else click.echo,
        show_diff=host.show if host is not None else messages.print_diff_line,
        warn=host.show if host is not None else lambda text: click.echo(text, err=True),
        write=host.keep if host is not None else write_shown,
        is_hosted=host is not None,
        ports=Ports(
            gateway_port=loaded.file.config.gateway.port,
            gateway_pid=running.pid if running else None,
        ),
    )
