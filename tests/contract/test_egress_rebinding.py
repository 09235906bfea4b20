"""Names whose addresses change between looks: what is connected to was looked at, and at every look anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clawgate.errors import EgressDenied, GatewayError, PrivateNetworkBlocked, UpstreamUnreachable
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.peer import check_peer
from clawgate.wire.http.url import parse_url
from tests.contract.small_internet import (
    INSIDE,
    METADATA,
    OTHER,
    PUBLIC,
    STRANGER,
    TRUSTED,
    SmallInternet,
    redirect,
    serving,
)

URL = "http://moving.example/"


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "::1", INSIDE, "::ffff:10.0.0.5", METADATA, "0.0.0.0", "fe80::1"]
)
async def test_a_name_that_moves_inwards_between_two_fetches_is_refused_at_the_second(inner: str) -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [[PUBLIC], [inner]]})
        await internet.fetch(URL)
        with pytest.raises(EgressDenied):
            await internet.fetch(URL)
        assert internet.hosts == [PUBLIC]


async def test_a_name_is_looked_up_once_for_a_connection_so_its_next_answer_does_not_count() -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [[PUBLIC], ["127.0.0.1"]]})
        await internet.fetch(URL)
        assert internet.lookups == ["moving.example"] and internet.hosts == [PUBLIC]


async def test_a_redirect_to_its_own_name_is_looked_up_and_decided_anew() -> None:
    async with serving({("moving.example", "/"): redirect("/again")}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [[PUBLIC], [INSIDE]]})
        with pytest.raises(EgressDenied):
            await internet.fetch(URL)
        assert internet.hosts == [PUBLIC] and len(upstream.requests) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, OTHER, "::ffff:127.0.0.1"],
        ["2606:4700::1111", "::1"],
        [PUBLIC, METADATA],
        [PUBLIC, "0.0.0.0"],
        [PUBLIC, ""],
        [PUBLIC, "localhost"],
        [PUBLIC, "10.0.0.5.example"],
        [PUBLIC, "224.0.0.1"],
        [PUBLIC, "64:ff9b::7f00:1"],
        [PUBLIC, "fe80::1%eth0"],
        [],
    ],
    ids=str,
)
async def test_one_bad_answer_refuses_the_whole_name(answers: Sequence[str]) -> None:
    """Wherever it stands: an attacker orders them, and lets the good one refuse the connection."""
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [answers]}, refuses=[PUBLIC])
        with pytest.raises(EgressDenied):
            await internet.fetch(URL)
        assert internet.connects == []


@pytest.mark.parametrize(
    "answers", [[PUBLIC, METADATA], ["127.0.0.1", METADATA], [INSIDE, "fe80::1"]], ids=str
)
async def test_a_switch_does_not_open_a_name_with_one_answer_that_nothing_opens(
    answers: Sequence[str],
) -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [answers]})
        with pytest.raises(EgressDenied) as caught:
            await internet.fetch(URL, TRUSTED)
        assert internet.connects == [] and "are never dialled" in caught.value.message


async def test_a_second_attempt_uses_the_first_look_up() -> None:
    """The first address refuses; the name says another thing by then, which is not read."""
    async with serving({}) as upstream:
        looks = [[PUBLIC, OTHER], ["127.0.0.1"]]
        internet = SmallInternet(upstream, {"moving.example": looks}, refuses=[PUBLIC])
        await internet.fetch(URL)
        assert internet.hosts == [PUBLIC, OTHER] and internet.lookups == ["moving.example"]


async def test_a_name_without_an_answer_that_works_is_not_looked_up_until_one_does() -> None:
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, {"moving.example": [[PUBLIC], [INSIDE]]}, refuses=[PUBLIC])
        with pytest.raises(UpstreamUnreachable):
            await internet.fetch(URL)
        assert internet.lookups == ["moving.example"]


async def test_a_switch_for_one_origin_does_not_follow_its_name_to_another_port() -> None:
    """A provider at inside.example:8000 is no permission for what else runs there."""
    own = EgressPolicy(
        requester="provider:own", private=True, origin=parse_url("http://inside.example:8000")[0]
    )
    async with serving({}) as upstream:
        internet = SmallInternet(upstream)
        await internet.fetch("http://inside.example:8000/", own)
        for url in ("http://inside.example/", "http://10.0.0.5:8000/", "http://localhost:8000/"):
            with pytest.raises(EgressDenied):
                await internet.fetch(url, own)
        assert internet.connects == [(INSIDE, 8000)]


async def test_many_names_at_once_do_not_get_the_answers_of_each_other() -> None:
    names = [f"n{number}.example" for number in range(40)]
    answers = {name: [[PUBLIC if number % 2 else INSIDE]] for number, name in enumerate(names)}
    async with serving({}) as upstream:
        internet = SmallInternet(upstream, answers)
        found = await asyncio.gather(
            *(internet.fetch(f"http://{name}/") for name in names), return_exceptions=True
        )
        assert [isinstance(each, GatewayError) for each in found] == [not number % 2 for number in range(40)]
        assert internet.hosts == [PUBLIC] * 20


@pytest.mark.parametrize("peer", [("127.0.0.1", 80), ("::ffff:10.0.0.5", 80), None])
def test_a_connection_that_arrived_elsewhere_is_aborted(peer: tuple[str, int] | None) -> None:
    class Transport(asyncio.Transport):
        aborted = False

        def get_extra_info(self, name: str, default: object = None) -> object:
            return peer

        def abort(self) -> None:
            self.aborted = True

    transport = Transport()
    with pytest.raises(ConnectionAbortedError):
        check_peer(transport, PUBLIC)
    assert transport.aborted


async def test_a_refusal_names_the_host_its_address_and_the_setting() -> None:
    async with serving({}) as upstream:
        with pytest.raises(PrivateNetworkBlocked) as caught:
            await SmallInternet(upstream).fetch("http://inside.example:81/", STRANGER)
        for text in ("inside.example:81", INSIDE, STRANGER.setting):
            assert text in caught.value.message
