"""``clawgate route``: shows which provider would serve a request, and the hops to it. Must not send anything."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from clawgate.cli.completers import complete_model
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.models.status import blocked
from clawgate.cli.paths import json_option, path_options
from clawgate.errors import ModelNotFound
from clawgate.policy.egress import Reason
from clawgate.policy.model_routing import ModelRef, ResolvedModel
from clawgate.providers.endpoint import address_kind
from clawgate.providers.provider import Provider

_TARGETS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@dataclass(frozen=True, slots=True)
class HopRow:
    """One provider of the chain. ``conversion`` is what happens to the body, ``why_not`` why a request would fail."""

    ref: ModelRef
    provider: Provider
    url: str
    conversion: str
    why_not: str | None

    @property
    def address(self) -> str:
        """What is known of the address before the name is resolved."""
        origin = self.provider.origin
        if origin is None:
            return "none"
        if self.provider.proxy is not None:
            return "resolved by a proxy"
        kind = address_kind(origin)
        if kind is Reason.NOT_AN_ADDRESS:
            rule = "private addresses allowed" if self.provider.allow_private else "public addresses only"
            return f"a host name, checked when it is dialed ({rule})"
        if kind in (Reason.LOOPBACK, Reason.PRIVATE):
            state = "is true" if self.provider.allow_private else "is not true: blocked"
            return f"{kind}; {self.provider.allow_private_setting} {state}"
        return str(kind)

    def to_json(self) -> dict[str, object]:
        return {
            "model": str(self.ref),
            "url": self.url or None,
            "dialect": self.provider.api,
            "way": self.conversion,
            "address": self.address,
            "auth": self.provider.auth_kind,
            "maskedSecret": self.provider.masked() or None,
            "ready": self.why_not is None,
            "whyNot": self.why_not,
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

    MODEL is provider/model, an alias, or empty for the default. Nothing is sent. If the request would fail, the
    reason is printed and the exit status is 1.
    """
    loaded = load_config(config)
    try:
        resolved = loaded.resolve(model)
    except ModelNotFound as error:
        if as_json:
            click.echo(json.dumps({"requested": model, "ok": False, "reason": error.message}, indent=2))
        else:
            _print_failure(model, error.message)
        sys.exit(ExitCode.FAILED)
    hops = [_hop(loaded, ref, client) for ref in resolved.chain]
    served_by = next((hop for hop in hops if hop.why_not is None), None)
    if as_json:
        output = {
            "requested": model,
            "ok": served_by is not None,
            "model": str(resolved.ref),
            "why": resolved.reason,
            "servedBy": str(served_by.ref) if served_by else None,
            "reason": None if served_by else hops[0].why_not,
            "chain": [hop.to_json() for hop in hops],
        }
        click.echo(json.dumps(output, indent=2))
    else:
        _print_route(model, resolved, hops, served_by)
    sys.exit(ExitCode.OK if served_by else ExitCode.FAILED)


def _hop(loaded: LoadedConfig, ref: ModelRef, client: str) -> HopRow:
    provider = loaded.catalog.providers[ref.provider]
    anthropic = provider.api == "anthropic-messages"
    target, why_not = _TARGETS[client], provider.model_problem(ref.model)
    if (client == "messages") == anthropic:
        conversion = "passthrough: the body is unchanged, except for the model's name"
    elif client == "responses":
        conversion = "none"
        why_not = why_not or f"'{ref.provider}' speaks {provider.api}, which has no counterpart of {target}"
    else:
        conversion = f"translated: the client speaks {client}, the provider {provider.api}"
        target = _TARGETS["messages" if anthropic else "chat"]
    if why_not is None and blocked(provider):
        kind = address_kind(provider.origin) if provider.origin else "unknown"
        why_not = (
            f"its address {provider.origin} is {kind} and must not be dialed; "
            f"if the server is yours, set {provider.allow_private_setting} to true"
        )
    url = f"{provider.base_url}{target.removeprefix('/v1')}" if provider.origin else ""
    return HopRow(ref, provider, url, conversion, why_not)


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
            ("Dialect", f"{hop.provider.api}, {hop.conversion}"),
            ("Address", hop.address),
            ("Auth", auth),
            ("State", f"not usable: {hop.why_not}" if hop.why_not else "ready"),
        ):
            click.echo(f"  {name:<8}: {value}")
    click.echo("")
    if len(hops) == 1:
        click.echo(f"No fallbacks: if {resolved.ref} fails, the request fails.")
    else:
        click.echo("A fallback is used only if the provider before it failed before its response began.")
    if served_by is None:
        _print_failure(model, hops[0].why_not)


def _print_failure(model: str, reason: str | None) -> None:
    name = f"'{model}'" if model else "the default model"
    click.echo(f"A request for {name} would fail: {reason}", err=True)
