"""``clawgate route``: who would answer a request for this model, and by which way? Nothing is sent to find out."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from clawgate.cli.context import LoadedConfig, complete_model, configured
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.models.status import blocked
from clawgate.cli.paths import place_options
from clawgate.errors import ModelNotFound
from clawgate.policy.egress import Reason
from clawgate.policy.model_routing import ModelRef, ResolvedModel
from clawgate.providers.endpoint import address_kind
from clawgate.providers.provider import Provider

_TARGETS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@dataclass(frozen=True, slots=True)
class HopRow:
    """One of the chain, as it would be asked. ``why_not`` is why it could not be."""

    ref: ModelRef
    provider: Provider
    url: str
    way: str
    why_not: str | None

    @property
    def address(self) -> str:
        """What is known of the address before the name is resolved."""
        origin = self.provider.origin
        if origin is None:
            return "none"
        if self.provider.proxy is not None:
            return "behind a proxy, which resolves it"
        kind = address_kind(origin)
        if kind is Reason.NOT_AN_ADDRESS:
            rule = "private addresses too" if self.provider.trusted else "public addresses only"
            return f"a name; judged when it is dialled ({rule})"
        if kind in (Reason.LOOPBACK, Reason.PRIVATE):
            state = "is true" if self.provider.trusted else "is not true: blocked"
            return f"{kind}; {self.provider.trust_setting} {state}"
        return str(kind)

    def shown(self) -> dict[str, object]:
        return {
            "model": str(self.ref),
            "url": self.url or None,
            "dialect": self.provider.api,
            "way": self.way,
            "address": self.address,
            "auth": self.provider.auth_kind,
            "maskedSecret": self.provider.masked() or None,
            "ready": self.why_not is None,
            "whyNot": self.why_not,
        }


@click.group()
def route() -> None:
    """Who answers a request, and by which way."""


@route.command()
@click.argument("model", default="", shell_complete=complete_model)
@place_options
@click.option(
    "--client",
    type=click.Choice(list(_TARGETS)),
    default="chat",
    show_default=True,
    help="The API that the client speaks.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def explain(model: str, config: str | None, client: str, as_json: bool) -> None:
    """Say who would answer a request for MODEL (provider/model, an alias, or nothing for the default), and how.

    Nothing is sent. Ends with status 1 if such a request would fail, with the reason.
    """
    known = configured(config)
    try:
        choice = known.choose(model)
    except ModelNotFound as error:
        if as_json:
            click.echo(json.dumps({"asked": model, "ok": False, "reason": error.message}, indent=2))
        else:
            click.echo(f"A request for '{model}' would fail: {error.message}", err=True)
        sys.exit(ExitCode.FAILED)
    links = [_link(known, ref, client) for ref in choice.chain]
    served_by = next((link for link in links if link.why_not is None), None)
    if as_json:
        said = {
            "asked": model,
            "ok": served_by is not None,
            "model": str(choice.ref),
            "why": choice.why,
            "servedBy": str(served_by.ref) if served_by else None,
            "reason": None if served_by else links[0].why_not,
            "chain": [link.shown() for link in links],
        }
        click.echo(json.dumps(said, indent=2))
    else:
        _show(model, choice, links, served_by)
    sys.exit(ExitCode.OK if served_by else ExitCode.FAILED)


def _link(known: LoadedConfig, ref: ModelRef, client: str) -> HopRow:
    provider = known.catalog.providers[ref.provider]
    anthropic = provider.api == "anthropic-messages"
    target, why_not = _TARGETS[client], provider.why_not(ref.model)
    if (client == "messages") == anthropic:
        way = "spliced: bytes pass as they are, but for the model's name"
    elif client == "responses":
        way = "none"
        why_not = why_not or f"'{ref.provider}' speaks {provider.api}, which has no counterpart of {target}"
    else:
        way = f"translated: the client speaks {client}, the provider {provider.api}"
        target = _TARGETS["messages" if anthropic else "chat"]
    if why_not is None and blocked(provider):
        why_not = (
            f"its address {provider.origin} is {address_kind_of(provider)} and may not be dialled: "
            f"set {provider.trust_setting} to true if the server is yours"
        )
    url = f"{provider.base_url}{target.removeprefix('/v1')}" if provider.origin else ""
    return HopRow(ref, provider, url, way, why_not)


def address_kind_of(provider: Provider) -> str:
    return str(address_kind(provider.origin)) if provider.origin else "unknown"


def _show(asked: str, choice: ResolvedModel, links: list[HopRow], served_by: HopRow | None) -> None:
    click.echo(f"Asked for : {asked or '(nothing)'}")
    click.echo(f"Means     : {choice.ref} ({choice.why})")
    click.echo(f"Served by : {served_by.ref if served_by else 'nobody'}")
    for number, link in enumerate(links):
        click.echo(f"\n{'First' if number == 0 else f'Fallback {number}'}: {link.ref}")
        masked = link.provider.masked()
        auth = f"{link.provider.auth_kind} ({masked})" if masked else link.provider.auth_kind
        for name, value in (
            ("URL", link.url or "(none)"),
            ("Dialect", f"{link.provider.api}, {link.way}"),
            ("Address", link.address),
            ("Auth", auth),
            ("State", f"cannot be asked: {link.why_not}" if link.why_not else "ready"),
        ):
            click.echo(f"  {name:<8}: {value}")
    click.echo("")
    if len(links) == 1:
        click.echo(f"No fallbacks: if {choice.ref} fails, the request fails.")
    else:
        click.echo(
            "A fallback is tried only where the one before it failed before its first byte of an answer."
        )
    if served_by is None:
        click.echo(f"A request for '{asked}' would fail: {links[0].why_not}", err=True)
