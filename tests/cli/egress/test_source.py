"""The ledger is that of the running gateway, where one runs."""

from __future__ import annotations

import json

from tests.cli.gateway_home import CHAT, Home, SlowModel, under_way


def test_the_running_gateway_is_asked(home: Home, model: SlowModel) -> None:
    home.configure(upstream=model.port)
    assert home.gateway("start").returncode == 0
    with under_way(home, model):
        output = json.loads(home.run("egress", "list", "--json").stdout)
        (row,) = output["rows"]
        assert output["source"].startswith("the running gateway (pid ")
        assert (row["requester"], row["status"], row["address"]) == ("provider:local", "open", "127.0.0.1")
        shut = home.run("egress", "explain", "http://10.0.0.9", "--provider", "local")
        assert shut.returncode == 1 and "Based on the running gateway" in shut.stdout


def test_a_gateway_that_does_not_say_fails_the_command(home: Home) -> None:
    assert home.gateway("start").returncode == 0
    record = home.state / "clawgate" / "gateway.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"key": "another"}))
    found = home.run("egress", "list")
    assert found.returncode == 1 and "clawgate gateway restart" in found.stderr
    assert home.ask("/v1/chat/completions", CHAT)[0] == 503
