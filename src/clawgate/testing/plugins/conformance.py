"""Checks a plugin against the interface, for its author: ``python -m clawgate.testing.plugins.conformance FOLDER``.

`check_plugin` needs no test framework and no network; an empty list means no violations. It runs the plugin's code, so
use it only for plugins that you trust.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from clawgate.plugins import api
from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.isolation import LOAD_SECONDS, PluginFailed, reason_of, run_with_timeout
from clawgate.plugins.host.loader import LoadedPlugin, Registrations, load_plugin, register_plugin, secrets_in
from clawgate.plugins.host.manifest import Manifest, ManifestInvalid, read_tree
from clawgate.testing.plugins.fake_host import FakeHost
from clawgate.testing.plugins.provider_conformance import (
    config_change_problems,
    connection_check_problems,
    hook_problems,
    question_problems,
    sample_values,
)
from clawgate.testing.plugins.tool_conformance import tool_problems

_MAY_IMPORT = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_extensions"})
_SECRET_WORDS = ("token", "password", "secret", "api_key")


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of the interface that the plugin breaks: the check that found it, and a message."""

    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


def check_plugin(
    plugin: api.Plugin, *, manifest: Manifest | None = None, config: BaseModel | None = None
) -> list[Violation]:
    """Return every violation of ``plugin``.

    With ``manifest``, what the plugin registers must match it. ``config`` is passed to the services and commands; by
    default it is made from samples for the provider's questions, or from the defaults. Each tool is called without
    arguments, while the services run.
    """
    try:
        loaded = _loaded(plugin, manifest)
    except PluginFailed as error:
        return [Violation("register", str(error))]
    violations = _run_check("register", partial(_registers_alike, plugin, loaded))
    violations += _run_check("config", partial(_config, plugin))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for provider in loaded.providers:
            name = f"provider {provider.id}"
            violations += _run_check(f"{name}, requests", partial(hook_problems, provider))
            if not isinstance(provider, api.ProviderPlugin):
                continue
            violations += _run_check(f"{name}, questions", partial(question_problems, provider))
            violations += _run_check(f"{name}, config", partial(config_change_problems, plugin, provider))
            violations += _run_check(f"{name}, check", partial(connection_check_problems, provider, folder))
        config = config or _some_config(plugin, loaded)
        if config is None and (loaded.services or loaded.commands or loaded.tools):
            problem = "it has no defaults; pass a config to check_plugin for its services, commands and tools"
            violations.append(Violation("config", problem))
        elif config is not None:
            host = FakeHost(state_dir=folder, config=config)
            for service in loaded.services:
                violations += _run_check("service", partial(_run_service, service, host))
            for command in loaded.commands:
                violations += _run_check(f"command {command.name}", partial(_command, command, host))
            for tool in loaded.tools:
                check = partial(tool_problems, tool, loaded.services, host)
                violations += _run_check(f"tool {tool.name}", check)
    return violations


def check_imports(folder: Path, package: str) -> list[Violation]:
    """Return the imports of clawgate outside the plugin interface, and of packages that a gateway may not have."""
    violations: list[Violation] = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            violations.append(Violation("imports", f"{path.name} is not valid Python: {error}"))
            continue
        for line, name in _imports(tree):
            top = name.partition(".")[0]
            place = f"{path.relative_to(folder)}:{line}"
            if top == "clawgate" and name != "clawgate.plugins.api":
                violations.append(
                    Violation("imports", f"{place} imports {name}; import only clawgate.plugins.api")
                )
            elif top not in {*sys.stdlib_module_names, *_MAY_IMPORT, "clawgate", package}:
                violations.append(
                    Violation("imports", f"{place} imports {name}, which a gateway may not have installed")
                )
    return violations


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            if node.module in ("clawgate", "clawgate.plugins"):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def _run_check(
    check: str, find_problems: Callable[[], Iterable[str] | Coroutine[Any, Any, list[str]]]
) -> list[Violation]:
    """Run a check. An exception of the plugin is a violation."""

    def found() -> list[str]:
        problems = find_problems()
        return list(asyncio.run(problems) if isinstance(problems, Coroutine) else problems)

    try:
        return [Violation(check, message) for message in run_with_timeout(30.0, check, found)]
    except PluginFailed as error:
        return [Violation(check, f"failed: {error}")]


def _loaded(plugin: api.Plugin, manifest: Manifest | None) -> LoadedPlugin:
    if manifest is None:
        manifest = _manifest_of(plugin)
    discovered = DiscoveredPlugin(
        id=manifest.id, origin="installed", source="conformance kit", manifest=manifest
    )
    register = partial(register_plugin, plugin, discovered, manifest)
    return run_with_timeout(LOAD_SECONDS, "its register", register)


def _manifest_of(plugin: api.Plugin) -> Manifest:
    """Return a manifest that matches ``plugin``. Raises `PluginFailed` if there can be none."""
    found = Registrations(plugin.id)
    run_with_timeout(LOAD_SECONDS, "its register", lambda: plugin.register(found))
    kinds = {
        "service": found.services,
        "provider": found.providers,
        "command": found.commands,
        "tool": found.tools,
    }
    fields = {
        "id": plugin.id,
        "name": plugin.name,
        "version": plugin.version,
        "description": plugin.description,
        "requires_api": api.API_VERSION,
        "module": "conformance:plugin",
        "registers": [kind for kind, some in kinds.items() if some],
        "providers": [one.id for one in found.providers],
        "commands": [one.name for one in found.commands],
        "tools": [one.name for one in found.tools],
    }
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PluginFailed(
            f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}"
        ) from None


def _registers_alike(plugin: api.Plugin, loaded: LoadedPlugin) -> Iterator[str]:
    threads = threading.active_count()
    second = Registrations(plugin.id)
    plugin.register(second)
    if threading.active_count() > threads:
        yield "register() starts a thread; start threads in start() of a service"
    if _names(loaded) != _names(second):
        yield "register() registers something else on the second call"


def _names(found: LoadedPlugin | Registrations) -> tuple[list[str], list[str], int, list[object]]:
    return (
        [one.id for one in found.providers],
        [one.name for one in found.commands],
        len(found.services),
        [one.definition() for one in found.tools],
    )


def _config(plugin: api.Plugin) -> Iterator[str]:
    if plugin.config_class.model_config.get("extra") != "forbid":
        yield "its config accepts unknown keys; derive it from PluginConfig"
    for name, field in plugin.config_class.model_fields.items():
        if not field.description:
            yield f"the setting '{name}' has no description"
        if any(word in name for word in _SECRET_WORDS) and "SecretStr" not in repr(field.annotation):
            yield f"the setting '{name}' has the name of a secret; its type must be Secret"
        if "SecretStr" in repr(field.annotation) and isinstance(field.default, str):
            yield f"the secret '{name}' has a default, which would be in the source code"


def _some_config(plugin: api.Plugin, loaded: LoadedPlugin) -> BaseModel | None:
    def from_samples(provider: api.ProviderPlugin) -> BaseModel:
        values = sample_values(list(provider.questions(api.Answers(), {})))
        return plugin.config_class.model_validate(dict(provider.config_change(values).plugin_config))

    with_questions = [one for one in loaded.providers if isinstance(one, api.ProviderPlugin)]
    tries: list[Callable[[], BaseModel]] = [partial(from_samples, provider) for provider in with_questions]
    tries.append(plugin.config_class)
    for make in tries:
        with contextlib.suppress(PluginFailed):
            return run_with_timeout(LOAD_SECONDS, "its config", make)
    return None


async def _run_service(service: api.Service, host: FakeHost) -> list[str]:
    problems: list[str] = []
    _check_status(service, host, problems, "before its start")
    tasks = asyncio.all_tasks()
    try:
        async with asyncio.timeout(10):
            await service.start(host)
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        if type(error).__name__ != "PluginError":
            problems.append(
                f"start raised {reason_of(error)}; raise PluginError for what the operator can fix"
            )
    _check_status(service, host, problems, "after its start")
    for time in ("first", "second"):
        try:
            async with asyncio.timeout(10):
                await service.stop()
        except Exception as error:  # noqa: BLE001  # the plugin boundary
            problems.append(f"the {time} stop raised {reason_of(error)}")
    await asyncio.sleep(0)
    if remaining := asyncio.all_tasks() - tasks:
        problems.append(f"{len(remaining)} of its tasks still run after stop")
    if any(not relay.stopped for relay in host.relays) or any(child.running for child in host.children):
        problems.append("a relay or a child that it started still runs after stop")
    return problems


def _check_status(service: api.Service, host: FakeHost, problems: list[str], when: str) -> None:
    status: object = service.status()
    if not isinstance(status, api.ServiceStatus):
        problems.append(f"status() {when} did not return a ServiceStatus")
        return
    try:
        text = json.dumps([status.reason, status.next_step, dict(status.details), status.lines, status.state])
    except (TypeError, ValueError):
        problems.append(f"status().details {when} is not JSON-serialisable")
        text = repr(status)
    if any(secret in text for secret in secrets_in(host.config)):
        problems.append(f"status() {when} shows a secret of the config")
    if not status.ok and not status.reason:
        problems.append(f"status() {when} is not ok and has no reason")
    why: object = service.unavailable()
    if why is not None and not isinstance(why, api.Unavailable):
        problems.append(f"unavailable() {when} returned neither None nor Unavailable")


def _command(command: api.CommandPlugin, host: FakeHost) -> list[str]:
    result: Any = command.run(host, [])
    if asyncio.iscoroutine(result):
        result = asyncio.run(result)
    problems = (
        [] if type(result) is int else [f"run returned {type(result).__name__}, which is not an exit status"]
    )
    if not host.printed and not host.printed_errors:
        problems.append("run without arguments printed nothing; use context.out and context.err")
    output = "\n".join([*host.printed, *host.printed_errors])
    if any(secret in output for secret in secrets_in(host.config)):
        problems.append("run prints a secret of the config")
    return problems


def check_folder(folder: Path) -> list[Violation]:
    """Return every violation of a plugin's source tree: of its manifest, its imports and its code."""
    try:
        manifest, root = read_tree(folder)
    except ManifestInvalid as error:
        return [Violation("manifest", str(error))]
    discovered = DiscoveredPlugin(
        id=manifest.id, origin="installed", source=str(folder), manifest=manifest, folder=root
    )
    package = root / manifest.package
    violations = check_imports(package if package.is_dir() else root, manifest.package)
    try:
        loaded = load_plugin(discovered)
    except PluginFailed as error:
        return [*violations, Violation("load", str(error))]
    described = {field.alias or name for name, field in loaded.plugin.config_class.model_fields.items()}
    if unknown := sorted(manifest.config.keys() - described):
        violations.append(
            Violation("manifest", f"[config] lists {', '.join(unknown)}, which is not a setting")
        )
    return [*violations, *check_plugin(loaded.plugin, manifest=manifest)]


def _check_target(target: str) -> list[Violation]:
    if Path(target).is_dir():
        return check_folder(Path(target).resolve())
    module, colon, attribute = target.partition(":")
    if not colon:
        return [Violation("target", f"{target} is neither a folder nor module:attribute")]
    try:
        plugin = run_with_timeout(
            LOAD_SECONDS, "its import", lambda: getattr(importlib.import_module(module), attribute)
        )
    except PluginFailed as error:
        return [Violation("load", str(error))]
    return check_plugin(cast(api.Plugin, plugin))


def main(arguments: list[str]) -> int:
    """Print the violations; return 0 if there are none."""
    if len(arguments) != 1:
        print(
            "usage: python -m clawgate.testing.plugins.conformance FOLDER | module:attribute", file=sys.stderr
        )
        return 2
    violations = _check_target(arguments[0])
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations" if violations else "No violations.")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
