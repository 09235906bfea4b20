"""A role holds all that serving needs, as its settings say, and nothing else opens a connection."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.app.bridge import build_bridge
from clawgate.app.role import Role
from clawgate.app.server import build_server
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.server import ServerSettings
from tests.app.roles import bridge, server
from tests.settings.canary import BRIDGE, SERVER

BUILDERS = pytest.mark.parametrize("build", [bridge, server])


@pytest.mark.parametrize(
    ("role", "place"),
    [
        (bridge(), ("bridge", "127.0.0.1", 18800)), (bridge(host="::1", bridgePort=7), ("bridge", "::1", 7)),
        (server(baseUrl="http://h"), ("server", "127.0.0.1", 8089)),
        (server(host="0.0.0.0", port=8), ("server", "0.0.0.0", 8)),
    ],
)  # fmt: skip
def test_where_a_role_listens(role: Role, place: tuple[str, str, int]) -> None:
    """On loopback by default, each on its own port."""
    assert (role.name, role.host, role.port) == place


def test_the_dialer_that_was_given_is_the_one_that_is_used() -> None:
    """Tests pass their own resolver; nothing else may open a connection."""
    dialer = Dialer()
    for role in (
        build_bridge(BridgeSettings.model_validate(BRIDGE), dialer=dialer),
        build_server(ServerSettings.model_validate(SERVER), dialer=dialer),
    ):
        assert role.dialer is dialer and role.upstream.pool._dialer is dialer


@BUILDERS
def test_exit_on_stdin_eof_sets_the_parent_descriptor(build: Any) -> None:
    """Standard input of a service is /dev/null, whose end is at once."""
    assert build().parent_fd is None
    assert build(exitOnStdinEof=True).parent_fd == 0


@BUILDERS
def test_nothing_is_shared_between_two_roles(build: Any) -> None:
    one, two = build(), build()
    assert one.periodic_tasks is not two.periodic_tasks
    assert one.connections is not two.connections and one.upstream is not two.upstream
    assert one.connections.admission.upstream is one.upstream


def test_optional_features_are_off_by_default() -> None:
    """One process, no TLS, no metrics and no periodic task unless a setting enables it."""
    role = bridge()
    assert (role.workers, role.tls, role.metrics, role.periodic_tasks) == (1, None, None, [])
    quiet = server(accessLog=False)
    assert (quiet.workers, quiet.tls, quiet.metrics, len(quiet.periodic_tasks)) == (1, None, None, 1)


def test_the_servers_options_reach_the_role() -> None:
    role = server(workers=3, metricsPort=9)
    assert role.workers == 3 and role.metrics is not None and role.metrics[0] == 9
    assert [every <= 1 for every, _ in role.periodic_tasks] == [True, True]
