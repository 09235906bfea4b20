"""Makes a flag of each question of a provider, so that ``--help`` lists them all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import click

from clawgate.plugins.api.questions import Question

_PREFIX = "answer_"
_METAVARS = {"url": "URL", "port": "PORT", "number": "NUMBER", "list": "A,B,...", "secret": "SECRET"}


class ProviderCommand(click.Command):
    """A command with a flag for each question of the provider that its arguments name.

    ``questions`` may raise `click.ClickException` for a provider that cannot be set up: its flags are unknown, and that
    error says more than one about an unknown flag.
    """

    questions: Callable[[Sequence[str]], Sequence[Question]] = staticmethod(lambda arguments: ())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        taken = {option for one in self.params for option in (*one.opts, *one.secondary_opts)}
        try:
            questions = self.questions(args)
        except click.ClickException:
            if not ctx.resilient_parsing and not {"--help", "-h"} & set(args):
                raise
            questions = ()
        ctx.meta[_PREFIX] = options_of(questions, taken)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *params, help_option = super().get_params(ctx)
        return [*params, *ctx.meta.get(_PREFIX, ()), help_option]


def options_of(questions: Iterable[Question], taken: Collection[str]) -> list[click.Option]:
    """Return an option per name; a question whose flag the command itself has can only be answered by ``--set``."""
    options: dict[str, click.Option] = {}
    used = {*taken, "--help", "-h"}
    for question in questions:
        flag = question.flag_name
        if question.name in options or flag in used or not flag.startswith("--"):
            continue
        used |= {flag, f"--no-{flag[2:]}"}
        help_text = _help_of(question)
        name = _PREFIX + question.name
        if question.kind == "confirm":
            option = click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=help_text)
        else:
            metavar = _METAVARS.get(question.kind, "TEXT")
            option = click.Option([flag, name], metavar=metavar, help=help_text)
        options[question.name] = option
    return list(options.values())


def _help_of(question: Question) -> str:
    choices = ", ".join(one.value for one in question.options)
    text = f"{question.text}: {choices}" if choices else question.text
    notes = [f"env var: {', '.join(question.variables)}"] if question.variables else []
    if question.default and question.kind != "secret":
        notes.append(f"default: {question.default}")
    return f"{text.rstrip('.')}{'' if text.endswith('?') else '.'}" + (
        f"  [{'; '.join(notes)}]" if notes else ""
    )


def answers_of(
    flags: dict[str, object], pairs: Iterable[str], questions: Sequence[Question]
) -> dict[str, str]:
    """Return the answers of flags and of ``--set name=value`` by the question's name. Raises `click.UsageError`."""
    answers = {}
    for name, value in flags.items():
        if name.startswith(_PREFIX) and value is not None:
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            answers[name.removeprefix(_PREFIX)] = text
    known = list(dict.fromkeys(question.name for question in questions))
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise click.UsageError("--set needs name=value")
        if name not in known:
            raise click.UsageError(f"--set {name}: no such question; there are: {', '.join(known)}")
        answers[name] = text
    return answers


def secret_warning(answers: dict[str, str], questions: Sequence[Question]) -> str | None:
    """Return a warning if a secret was given as an argument, where other users and the shell's history can see it."""
    for question in questions:
        text = answers.get(question.name, "")
        if question.kind == "secret" and text and not text.startswith("${"):
            return (
                "Warning: every user of this machine can see a secret in the arguments (ps), and the shell keeps it; "
                "use --stdin-secret, an environment variable, or a reference such as '${NAME}'."
            )
    return None
