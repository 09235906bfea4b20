"""How do questions become flags of a command? Each question is one, with its own name, and all are in --help."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import click

from clawgate.plugins.api.questions import Question

_PREFIX = "answer_"
_METAVARS = {"url": "URL", "port": "PORT", "number": "NUMBER", "list": "A,B,...", "secret": "SECRET"}


class ProviderCommand(click.Command):
    """Has the flags of the questions of whichever provider the arguments name.

    ``questions`` may raise `click.ClickException`: of a provider that cannot be set up, no flag is known, and to say
    that of the flags would lead astray.
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
        return [*super().get_params(ctx), *ctx.meta.get(_PREFIX, ())]


def options_of(questions: Iterable[Question], taken: Collection[str]) -> list[click.Option]:
    """One option for each name; one whose flag the command has itself is only there as ``--set name=value``."""
    found: dict[str, click.Option] = {}
    used = {*taken, "--help", "-h"}
    for question in questions:
        flag = question.flag_name
        if question.name in found or flag in used or not flag.startswith("--"):
            continue
        used |= {flag, f"--no-{flag[2:]}"}
        variables = f"  [env {', '.join(question.variables)}]" if question.variables else ""
        choices = ", ".join(one.value for one in question.options)
        help_text = f"{question.text}{f': {choices}' if choices else ''}{variables}"
        name = _PREFIX + question.name
        if question.kind == "confirm":
            option = click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=help_text)
        else:
            metavar = _METAVARS.get(question.kind, "TEXT")
            option = click.Option([flag, name], metavar=metavar, help=help_text)
        found[question.name] = option
    return list(found.values())


def answers_of(
    given: dict[str, object], pairs: Iterable[str], questions: Sequence[Question]
) -> dict[str, str]:
    """What flags and ``--set name=value`` answer, by the names of the questions. Raises `click.UsageError`."""
    found = {}
    for name, value in given.items():
        if name.startswith(_PREFIX) and value is not None:
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            found[name.removeprefix(_PREFIX)] = text
    known = list(dict.fromkeys(question.name for question in questions))
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise click.UsageError("--set wants name=value")
        if name not in known:
            raise click.UsageError(f"--set {name}: there is no such question; there are: {', '.join(known)}")
        found[name] = text
    return found


def warn_of_secrets(given: dict[str, str], questions: Sequence[Question]) -> str | None:
    """What to say to somebody who wrote a secret among the arguments."""
    for question in questions:
        text = given.get(question.name, "")
        if question.kind == "secret" and text and not text.startswith("${"):
            return (
                "Warning: a secret among the arguments is seen by every user of this machine (ps) and kept by the "
                "shell; give it with --stdin-secret, by the environment, or as a reference such as '${NAME}'."
            )
    return None
