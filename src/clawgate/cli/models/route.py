"""``clawgate route``: shows which provider would serve a request, and the hops to it. Must not send anything."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from clawgate.cli.completers import complete_model
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.outcome import failure_text, outcome_json
from clawgate.cli.paths import json_option, path_options
from clawgate.errors import GatewayError
from clawgate.plugins.host.registry import Registry, load_plugins
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.policy import check_host
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.model_routing import ModelRef, ResolvedModel, names_agent
from clawgate.policy.path_routing import gateway_routes
from clawgate.providers.availability import chain_error
from clawgate.providers.built_in import SUPPORTED_APIS
from clawgate.providers.provider import Provider
from clawgate.routing.gateway_router import NO_AGENT, agents_off, models_off
from clawgate.routing.request_changes import TURNS, dialects_of, spoken_upstream
from clawgate.settings.openclaw.agent_ids import agent_ids
from clawgate.settings.openclaw.own_settings import own_settings

_TARGETS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@dataclass(frozen=True, slots=True)
class HopRow:
    """One provider of the chain. ``dialect`` is that of the request there, ``conversion`` is what happens to the body,
    ``error`` the one that a request gets."""

    ref: ModelRef
    provider: Provider
    url: str
    dialect: str
    conversion: str
    error: GatewayError | None

    @property
    def address(self) -> str:
        """What is known of the address before the name is resolved."""
        origin = self.provider.origin
        if origin is None:
            return "none"
        if self.provider.proxy is not None:
            return "resolved by a proxy"
        kind = host_kind(origin.host)
        decision = check_host(origin, self.provider.egress_policy())
        if not decision.allowed:
            return f"{kind}; blocked: {decision.rule}"
        if kind is AddressKind.NOT_AN_ADDRESS:
            rule = "private addresses allowed" if self.provider.allows_private else "public addresses only"
            return f"a host name, checked when it is dialed ({rule})"
        return f"{kind}; allowed by {decision.rule}"

    def to_json(self) -> dict[str, object]:
        return {
            "model": str(self.ref),
            "url": self.url or None,
            "dialect": self.dialect,
            "way": self.conversion,
            "address": self.address,
            "auth": self.provider.auth_kind,
            "maskedSecret": self.provider.masked() or None,
            "ready": self.error is None,
            "whyNot": self.error and self.error.message,
        }


@click.group()
def route() -> None:
    """The provider that would serve a request, and the hops to it."""


@route.command(short_help="Show which provider would serve a request for MODEL.")
@click.argument("model", default="", shell_complete=complete_model)
@path_options
@click.option(
    "--client",
    type=click.Choice(list(_TARGETS)),
    default="chat",
    show_default=True,
    help="API that the client speaks.",
)
@json_option
def explain(model: str, config: str | None, client: str, as_json: bool) -> None:
    """Show which provider would serve a request for MODEL, and how.

    MODEL is provider/model, an alias, an agent, or empty for the default. Nothing is sent. If the request would
    fail, the reason is printed and the exit status is 1.
    """
    loaded = load_config(config)
    try:
        resolved = _resolve(loaded, model, client)
    except GatewayError as not_found:
        if as_json:
            click.echo(json.dumps({"requested": model, **outcome_json(not_found)}, indent=2))
        else:
            _print_failure(model, not_found)
        sys.exit(ExitCode.FAILED)
    plugins = load_plugins(loaded.file.config, loaded.paths.state, loaded.file.environment)
    hops = [_hop(loaded, plugins, ref, client) for ref in resolved.chain]
    error = chain_error((str(hop.ref), hop.error) for hop in hops)
    served_by = next(hop for hop in hops if hop.error is None) if error is None else None
    if as_json:
        output = {
            "requested": model,
            **outcome_json(error),
            "basedOn": loaded.known.based_on,
            "model": str(resolved.ref),
            "why": resolved.reason,
            "servedBy": str(served_by.ref) if served_by else None,
            "chain": [hop.to_json() for hop in hops],
        }
        click.echo(json.dumps(output, indent=2))
    else:
        _print_route(model, resolved, hops, served_by)
        click.echo(f"Based on {loaded.known.source}.")
        if error is not None:
            _print_failure(model, error)
    sys.exit(ExitCode.OK if error is None else ExitCode.FAILED)


def _resolve(loaded: LoadedConfig, name: str, client: str) -> ResolvedModel:
    """Return the models that serve a request for ``name``. Raises `InvalidRequest`, `ModelNotFound`."""
    from clawgate.settings.openclaw.gateway import GatewayFlags, serves

    agents, models = serves(loaded.file, GatewayFlags())
    path = _TARGETS[client].encode()
    gateway_routes(agents=agents, models=models).check(b"POST", path)
    if names_agent(name) or (path in agents and not name):
        if path not in agents:
            raise agents_off(name, path)
        return _agents_model(loaded, name)
    if not models:
        raise models_off(NO_AGENT, agent_ids(loaded.file.config))
    return loaded.catalog.resolve(name)


def _agents_model(loaded: LoadedConfig, name: str) -> ResolvedModel:
    from clawgate.agents.definition.spec import read_agents
    from clawgate.agents.request.target import read_target

    config = loaded.file.config
    agents = read_agents(config, own_settings(config), loaded.catalog, str(loaded.paths.state))
    agent = read_target(name, {}, "", agents.names, fresh="").agent
    chain = agents.specs[agent].chain or loaded.catalog.resolve("").chain
    return ResolvedModel(chain[0], chain, f"the model of agent '{agent}'")


def _hop(loaded: LoadedConfig, plugins: Registry, ref: ModelRef, client: str) -> HopRow:
    provider = loaded.catalog.providers[ref.provider]
    model = next((one for one in provider.models if one.id == ref.model), None)
    path = _TARGETS[client].encode()
    error = loaded.known.availability.model_error(ref)
    if provider.api not in SUPPORTED_APIS:
        return HopRow(ref, provider, "", provider.api, "none", error)
    dialect = spoken_upstream(path, provider.apis_of(model, plugins.further_dialects(provider.id)))
    if dialect in dialects_of(path):
        conversion = "passthrough: the body is unchanged, except for the model's name"
    else:
        conversion = f"translated: the client speaks {client}, the provider {dialect}"
        path = next(path for path, spoken in TURNS.items() if spoken is dialect)
    url = f"{provider.base_url}{path.decode().removeprefix('/v1')}" if provider.origin else ""
    return HopRow(ref, provider, url, dialect, conversion, error)


def _print_route(model: str, resolved: ResolvedModel, hops: list[HopRow], served_by: HopRow | None) -> None:
    click.echo(f"Requested : {model or '(nothing)'}")
    click.echo(f"Resolved  : {resolved.ref} ({resolved.reason})")
    click.echo(f"Served by : {served_by.ref if served_by else 'none'}")
    for number, hop in enumerate(hops):
        click.echo(f"\n{'First' if number == 0 else f'Fallback {number}'}: {hop.ref}")
        masked = hop.provider.masked()
        auth = f"{hop.provider.auth_kind} ({masked})" if masked else hop.provider.auth_kind
        for name, value in (
            ("URL", hop.url or "(none)"),
            ("Dialect", f"{hop.dialect}, {hop.conversion}"),
            ("Address", hop.address),
            ("Auth", auth),
            ("State", f"not usable: {hop.error.message}" if hop.error else "ready"),
        ):
            click.echo(f"  {name:<8}: {value}")
    click.echo("")
    if len(hops) == 1:
        click.echo(f"No fallbacks: if {resolved.ref} fails, the request fails.")
    else:
        click.echo("A fallback is used only if the provider before it failed before its response began.")


def _print_failure(model: str, error: GatewayError) -> None:
    name = f"'{model}'" if model else "the default model"
    click.echo(f"A request for {name} would fail with {failure_text(error)}", err=True)
