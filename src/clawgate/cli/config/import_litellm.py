"""``clawgate config import litellm``: shows what of LiteLLM's config is taken over and what not, then writes it.

Must print no secret of either file. Nothing is written before it was shown.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clawgate.cli.confirmation import require_confirmation
from clawgate.cli.context import LoadedConfig, load_config, print_effect_of, print_written
from clawgate.cli.effect import effect_of
from clawgate.cli.errors import UNCHANGED, fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import json_option, path_options
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.settings.litellm.import_plan import ImportPlan
    from clawgate.settings.openclaw.update import WriteResult


@click.group("import")
def import_() -> None:
    """Take over the config of another program."""


@import_.command(short_help="Take over the config of LiteLLM.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write it without a prompt.")
@click.option(
    "--default",
    metavar="MODEL_NAME",
    default="",
    help="Make this model_name the default model, with its fallbacks as ours.",
)
@click.option(
    "--allow-private-network",
    "allow_private",
    is_flag=True,
    help="Allow the private and loopback addresses that the file names, each for its provider.",
)
@json_option
@path_options
def litellm(
    file: Path, write: bool, default: str, allow_private: bool, config: str | None, as_json: bool
) -> None:
    """Take over the config FILE of LiteLLM: providers with their models, aliases, fallbacks of the default model.

    Prints what would be written and each key that cannot be taken over, by name. On a terminal, a change is confirmed
    before it is written. Keys of providers stay references where FILE has os.environ/NAME, which becomes ${NAME}.
    """
    from clawgate.cli.auth.wizard.config_diff import config_diff
    from clawgate.settings.openclaw.update import NEW_FILE

    loaded = load_config(config)
    plan = _plan(file, loaded, default, allow_private=allow_private)
    before = loaded.path.read_text(encoding="utf-8") if loaded.path.exists() else NEW_FILE
    after = plan.apply(before)
    if not as_json:
        for line in config_diff(str(loaded.path), before, after):
            click.echo(line)
        if plan.notes:
            click.echo(f"Not taken over from {file}:")
        for note in plan.notes:
            click.echo(f"  - {note}")
    written = None
    if after != before:
        if not as_json and not write and _on_terminal():
            require_confirmation(f"Write this to {loaded.path}?", yes=False, outcome=UNCHANGED)
            write = True
        written = _write(loaded, before, after) if write else None
    if as_json:
        click.echo(json.dumps(_as_json(plan, loaded, written), indent=2))
    elif written is not None:
        print_written(loaded.path, written)
        print_effect_of(loaded.paths, written)
        click.echo("Next: clawgate config validate")
    elif after == before:
        click.echo("No change")
    else:
        click.echo(f"{UNCHANGED} To write it, run the same with --write.")


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _plan(file: Path, loaded: LoadedConfig, default: str, *, allow_private: bool) -> ImportPlan:
    from clawgate.plugins.api import object_at
    from clawgate.settings.litellm.import_plan import UnknownModelName, plan_import
    from clawgate.settings.litellm.source import read_source

    try:
        source = read_source(file)
    except SettingsInvalid as error:
        fail(f"{file} cannot be imported:", error.problems, outcome=UNCHANGED, status=ExitCode.USAGE)
    present = object_at(loaded.file.raw, ("models", "providers"))
    try:
        plan = plan_import(
            source, present, loaded.catalog.aliases, default=default, allow_private=allow_private
        )
    except UnknownModelName:
        fail(f"--default: no model that is taken over has the model_name '{default}'", outcome=UNCHANGED)
    if plan.is_empty:
        fail(f"{file}: no model of it can be taken over:", plan.notes)
    return plan


def _write(loaded: LoadedConfig, before: str, after: str) -> WriteResult:
    from clawgate.cli.auth.wizard.write import NothingWritten, write_shown

    try:
        return write_shown(loaded.path, before, after)
    except NothingWritten as error:
        fail(str(error))


def _as_json(plan: ImportPlan, loaded: LoadedConfig, written: WriteResult | None) -> dict[str, Any]:
    from clawgate.settings.redaction import redact

    result: dict[str, Any] = {
        "configPath": str(loaded.path),
        "written": written is not None,
        "backup": str(written.backup) if written is not None and written.backup else None,
        "providers": redact(plan.providers, ("models", "providers")),
        "aliases": {alias: str(ref) for alias, ref in plan.aliases.items()},
        "default": str(plan.chain[0]) if plan.chain else None,
        "fallbacks": [str(ref) for ref in plan.chain[1:]],
        "notTakenOver": [{"path": one.key, "place": one.location, "message": one.text} for one in plan.notes],
    }
    if written is not None:
        result["gateway"] = effect_of(loaded.paths, written).to_json()
    return result
