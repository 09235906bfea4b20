"""Declares ``plugins.entries.clawgate.config.network``: which addresses may be dialled, beyond public ones. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel

from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.egress.rules import FAKE_IP_RANGE, FakeIp, Rule, parse_fake_range
from clawgate.settings.fields import OWN_BLOCK, Count, setting


def _check_rule(value: str) -> str:
    Rule.parse(value)
    return value


def _check_allowed(value: str) -> str:
    if Rule.parse(value).opens_nothing:
        raise ValueError(f"'{value}' is never dialled, whatever is allowed; remove it")
    return value


def _check_range(value: str) -> str:
    parse_fake_range(value)
    return value


def _check_host(value: str) -> str:
    rule = Rule.parse(value)
    if not rule.host or rule.port is not None:
        raise ValueError(f"'{value}' is no host; use a name, or *.name for all below it")
    return value


class FakeIpSettings(BaseModel):
    """The placeholders of a fake-IP DNS (Clash, Surge, sing-box), for the hosts of providers and those listed."""

    model_config = OWN_BLOCK

    ranges: tuple[Annotated[str, AfterValidator(_check_range)], ...] = setting(
        "Ranges of its placeholders.", (str(FAKE_IP_RANGE),)
    )
    hosts: tuple[Annotated[str, AfterValidator(_check_host)], ...] = setting(
        "Further hosts that may have them, or *.host.", ()
    )


class NetworkSettings(BaseModel):
    """Which addresses may be dialled. Metadata and link-local ones never are."""

    model_config = OWN_BLOCK

    allow: tuple[Annotated[str, AfterValidator(_check_allowed)], ...] = setting(
        "Private ranges, addresses, hosts, *.host or host:port that everything may dial.", ()
    )
    deny: tuple[Annotated[str, AfterValidator(_check_rule)], ...] = setting(
        "What is never dialled, in the same forms; wins over all that allows.", ()
    )
    fake_ip: FakeIpSettings | None = setting("A DNS that returns placeholders; off unless it is set.")
    mode: Literal["enforce", "report"] = setting(
        "report: refusals are recorded, and dialled all the same.", "enforce"
    )
    connections_per_minute: Count = setting("Connections to each private destination, in a minute.", 6000)

    def rules(self, *, private: bool) -> NetworkRules:
        fake = self.fake_ip
        return NetworkRules(
            private=private,
            allow=tuple(map(Rule.parse, self.allow)),
            deny=tuple(map(Rule.parse, self.deny)),
            fake_ip=None
            if fake is None
            else FakeIp(
                ranges=tuple(map(parse_fake_range, fake.ranges)),
                hosts=tuple(Rule.parse(host).host for host in fake.hosts),
            ),
            report_only=self.mode == "report",
            connections_per_minute=self.connections_per_minute,
        )
