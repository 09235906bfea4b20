"""Would a plugin do in a gateway? A kit for its author: ``python -m clawgate.testing.plugins.conformance FOLDER``.

`check_plugin` needs no test framework and no network; an empty list means that nothing was found. It runs the plugin's
code, so it is for plugins that one trusts.
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from clawgate.plugins.api import (
    Answers,
    CommandPlugin,
    Plugin,
    ProviderPlugin,
    Service,
    ServiceStatus,
    Unavailable,
)
from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.isolation import LOAD_SECONDS, PluginFailed, reason_of, run_with_timeout
from clawgate.plugins.host.loader import LoadedPlugin, load_plugin, registered, secrets_in
from clawgate.plugins.host.manifest import (
    Manifest,
    ManifestInvalid,
    find_manifest,
    import_root,
    read_manifest,
)
from clawgate.testing.plugins.fake_host import FakeHost
from clawgate.testing.plugins.provider_conformance import (
    change_of,
    connection_of,
    questions_of,
    requests_of,
    sample_answers,
)

_MAY_IMPORT = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_extensions"})
_SECRET_WORDS = ("token", "password", "secret", "api_key")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: which check found it, and what it found."""

    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


def check_plugin(
    plugin: Plugin, *, manifest: Manifest | None = None, config: BaseModel | None = None
) -> list[Finding]:
    """Everything that is found wrong with ``plugin``.

    ``manifest``: what it is compared with; without one it may register what it likes. ``config`` is for its services
    and commands; by default it is made from the answers to its provider's questions, or of defaults alone.
    """
    try:
        loaded = _loaded(plugin, manifest)
    except PluginFailed as error:
        return [Finding("register", str(error))]
    findings = _named("register", partial(_registers_alike, plugin, loaded))
    findings += _named("config", partial(_config, plugin))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for provider in loaded.providers:
            name = f"provider {provider.id}"
            findings += _named(f"{name}, questions", partial(questions_of, provider))
            findings += _named(f"{name}, config", partial(change_of, plugin, provider))
            findings += _named(f"{name}, check", partial(_connection, provider, folder))
            findings += _named(f"{name}, requests", partial(requests_of, provider))
        config = config or _some_config(plugin, loaded)
        if config is None and (loaded.services or loaded.commands):
            findings.append(Finding("config", "give check_plugin a config to try services and commands with"))
        elif config is not None:
            host = FakeHost(state_dir=folder, config=config)
            for service in loaded.services:
                findings += _named("service", partial(_tried, service, host))
            for command in loaded.commands:
                findings += _named(f"command {command.name}", partial(_command, command, host))
    return findings


def check_imports(folder: Path, package: str) -> list[Finding]:
    """Imports of clawgate other than of its plugin interface, and of what a plugin cannot count on."""
    found: list[Finding] = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            found.append(Finding("imports", f"{path.name} cannot be read: {error}"))
            continue
        for line, name in _imports(tree):
            top = name.partition(".")[0]
            place = f"{path.relative_to(folder)}:{line}"
            if top == "clawgate" and name != "clawgate.plugins.api":
                found.append(Finding("imports", f"{place} imports {name}; use clawgate.plugins.api alone"))
            elif top not in {*sys.stdlib_module_names, *_MAY_IMPORT, "clawgate", package}:
                found.append(Finding("imports", f"{place} imports {name}, which not every gateway has"))
    return found


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            if node.module in ("clawgate", "clawgate.plugins"):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def _named(check: str, found: Callable[[], Iterable[str]]) -> list[Finding]:
    """What a check finds; a plugin that raises in it is found, too."""
    try:
        return [Finding(check, message) for message in run_with_timeout(30.0, check, lambda: list(found()))]
    except PluginFailed as error:
        return [Finding(check, f"failed: {error}")]


def _loaded(plugin: Plugin, manifest: Manifest | None) -> LoadedPlugin:
    if manifest is None:
        manifest = _manifest_of(plugin)
    found = DiscoveredPlugin(id=manifest.id, origin="installed", source="conformance kit", manifest=manifest)
    settled = manifest
    return run_with_timeout(LOAD_SECONDS, "its register", lambda: registered(plugin, found, settled))


class _Names:
    """A registrar that only notes what there is."""

    def __init__(self) -> None:
        self.services = 0
        self.providers: list[str] = []
        self.commands: list[str] = []

    def service(self, service: object) -> None:
        self.services += 1

    def provider(self, provider: Any) -> None:
        self.providers.append(provider.id)

    def command(self, command: Any) -> None:
        self.commands.append(command.name)


def _manifest_of(plugin: Plugin) -> Manifest:
    """The manifest that would be right for ``plugin``. Raises `PluginFailed` if none can be."""
    names = _Names()
    run_with_timeout(LOAD_SECONDS, "its register", lambda: plugin.register(names))
    kinds = {"service": names.services, "provider": names.providers, "command": names.commands}
    said = {
        "id": plugin.id,
        "name": plugin.name,
        "version": plugin.version,
        "description": plugin.description,
        "requires_api": 1,
        "module": "conformance:plugin",
        "registers": [kind for kind, some in kinds.items() if some],
        "providers": names.providers,
        "commands": names.commands,
    }
    try:
        return Manifest.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PluginFailed(
            f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}"
        ) from None


def _registers_alike(plugin: Plugin, loaded: LoadedPlugin) -> Iterator[str]:
    threads = threading.active_count()
    names = _Names()
    plugin.register(names)
    if threading.active_count() > threads:
        yield "register starts a thread; that is for a service's start"
    first = (
        [one.id for one in loaded.providers],
        [one.name for one in loaded.commands],
        len(loaded.services),
    )
    if first != (names.providers, names.commands, names.services):
        yield "register hands over something else when it is called again"


def _config(plugin: Plugin) -> Iterator[str]:
    if plugin.config.model_config.get("extra") != "forbid":
        yield "its config takes unknown keys, so that a slip is never noticed; derive it from PluginConfig"
    for name, field in plugin.config.model_fields.items():
        if not field.description:
            yield f"the setting '{name}' has no description"
        if any(word in name for word in _SECRET_WORDS) and "SecretStr" not in repr(field.annotation):
            yield f"the setting '{name}' sounds like a secret and is none; its type should be Secret"
        if "SecretStr" in repr(field.annotation) and isinstance(field.default, str):
            yield f"the secret '{name}' has a default, which everybody would know"


def _some_config(plugin: Plugin, loaded: LoadedPlugin) -> BaseModel | None:
    def as_answered(provider: ProviderPlugin) -> BaseModel:
        answers = sample_answers(list(provider.questions(Answers(), {})))
        return plugin.config.model_validate(dict(provider.config_change(answers).plugin_config))

    tries: list[Callable[[], BaseModel]] = [partial(as_answered, provider) for provider in loaded.providers]
    tries.append(plugin.config)
    for make in tries:
        with contextlib.suppress(PluginFailed):
            return run_with_timeout(LOAD_SECONDS, "its config", make)
    return None


def _connection(provider: ProviderPlugin, folder: Path) -> list[str]:
    return asyncio.run(connection_of(provider, folder))


def _tried(service: Service, host: FakeHost) -> list[str]:
    return asyncio.run(_service(service, host))


async def _service(service: Service, host: FakeHost) -> list[str]:
    found: list[str] = []
    _look_at(service, host, found, "before its start")
    tasks = asyncio.all_tasks()
    try:
        async with asyncio.timeout(10):
            await service.start(host)
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        if type(error).__name__ != "PluginError":
            found.append(f"start raised {reason_of(error)}; raise PluginError for what an operator can mend")
    _look_at(service, host, found, "after its start")
    for time in ("first", "second"):
        try:
            async with asyncio.timeout(10):
                await service.stop()
        except Exception as error:  # noqa: BLE001  # the plugin boundary
            found.append(f"the {time} stop raised {reason_of(error)}")
    await asyncio.sleep(0)
    if left := asyncio.all_tasks() - tasks:
        found.append(f"{len(left)} of its tasks still run after stop")
    if any(not relay.stopped for relay in host.relays) or any(child.running for child in host.children):
        found.append("a relay or a child that it started still runs after stop")
    return found


def _look_at(service: Service, host: FakeHost, found: list[str], when: str) -> None:
    status: object = service.status()
    if not isinstance(status, ServiceStatus):
        found.append(f"status() {when} is no ServiceStatus")
        return
    try:
        text = json.dumps([status.reason, status.next_step, dict(status.details), status.lines, status.state])
    except (TypeError, ValueError):
        found.append(f"status().details {when} cannot be said in JSON")
        text = repr(status)
    if any(secret in text for secret in secrets_in(host.config)):
        found.append(f"status() {when} shows a secret of the config")
    if not status.ok and not status.reason:
        found.append(f"status() {when} is not ok and gives no reason")
    why: object = service.unavailable()
    if why is not None and not isinstance(why, Unavailable):
        found.append(f"unavailable() {when} is neither None nor Unavailable")


def _command(command: CommandPlugin, host: FakeHost) -> list[str]:
    result: Any = command.run(host, [])
    if asyncio.iscoroutine(result):
        result = asyncio.run(result)
    found = [] if type(result) is int else [f"run returned {type(result).__name__}, which is no exit status"]
    if not host.printed and not host.complained:
        found.append("run without arguments printed nothing; context.out and context.err are there for that")
    said = "\n".join([*host.printed, *host.complained])
    if any(secret in said for secret in secrets_in(host.config)):
        found.append("run prints a secret of the config")
    return found


def check_folder(folder: Path) -> list[Finding]:
    """Everything about a plugin's source tree: its manifest, its imports, and the plugin itself."""
    try:
        path = find_manifest(folder)
        manifest = read_manifest(path)
        root = import_root(folder, path, manifest)
    except ManifestInvalid as error:
        return [Finding("manifest", str(error))]
    found = DiscoveredPlugin(
        id=manifest.id, origin="installed", source=str(folder), manifest=manifest, folder=root
    )
    package = root / manifest.package
    findings = check_imports(package if package.is_dir() else root, manifest.package)
    try:
        loaded = load_plugin(found)
    except PluginFailed as error:
        return [*findings, Finding("load", str(error))]
    described = {field.alias or name for name, field in loaded.plugin.config.model_fields.items()}
    if unknown := sorted(manifest.config.keys() - described):
        findings.append(Finding("manifest", f"[config] names {', '.join(unknown)}, which is no setting"))
    return [*findings, *check_plugin(loaded.plugin, manifest=manifest)]


def _checked(target: str) -> list[Finding]:
    if Path(target).is_dir():
        return check_folder(Path(target).resolve())
    module, colon, attribute = target.partition(":")
    if not colon:
        return [Finding("target", f"{target} is no folder, and not module:attribute")]
    try:
        plugin = run_with_timeout(
            LOAD_SECONDS, "its import", lambda: getattr(importlib.import_module(module), attribute)
        )
    except PluginFailed as error:
        return [Finding("load", str(error))]
    return check_plugin(cast(Plugin, plugin))


def main(arguments: list[str]) -> int:
    """Print what is found; 0 if nothing is."""
    if len(arguments) != 1:
        print(
            "usage: python -m clawgate.testing.plugins.conformance FOLDER | module:attribute", file=sys.stderr
        )
        return 2
    findings = _checked(arguments[0])
    for finding in findings:
        print(finding)
    print(f"{len(findings)} to mend" if findings else "Nothing to mend.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
