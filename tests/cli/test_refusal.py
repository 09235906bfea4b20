"""A role that cannot run serves its reason: with the settings of no one, until its standard input ends."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.app import run
from clawgate.app.role import Role
from clawgate.cli import refusal
from clawgate.cli.errors import CommandFailed
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.hosted import Host
from tests.relay.response.test_operator_error import found_in

HOST = Host("http://127.0.0.1:1", "an-instance")


@pytest.mark.parametrize(
    ("problems", "reason"),
    [
        ((), "the folder /x cannot be used:"),
        (("a: is not set", "b: x"), "the folder /x cannot be used: a: is not set; b: x"),
    ],
)
@pytest.mark.parametrize("exit_on_stdin_eof", [True, False])
def test_the_reason_is_the_failure_with_all_of_its_problems(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problems: tuple[str, ...],
    reason: str,
    exit_on_stdin_eof: bool,
) -> None:
    served: list[Role] = []

    def serve(role: Role, sockets: Any, on_ready: Any) -> int:
        served.append(role)
        on_ready()
        for sock in sockets:
            sock.close()
        return 0

    masks: list[int] = []
    monkeypatch.setattr("os.umask", masks.append)
    monkeypatch.setattr(run, "serve", serve)
    monkeypatch.setattr("clawgate.app.log_setup.set_up_logging", lambda *_, **__: None)
    failure = CommandFailed(ExitCode.USAGE, "the folder /x cannot be used:", problems)
    with pytest.raises(SystemExit) as ended:
        refusal.refuse(failure, HOST, "bridge", ("127.0.0.1", 0), exit_on_stdin_eof=exit_on_stdin_eof)
    monkeypatch.undo()
    (role,) = served
    assert masks == [0o077]
    assert ended.value.code == 0 and role.parent_fd == (0 if exit_on_stdin_eof else None)
    with pytest.raises(Exception, match=reason) as refused:
        role.connections.admission.routes.check(b"POST", b"/v1/chat/completions")
    assert found_in(f"400 {refused.value}") == []
    assert "clawgate bridge listening on http://127.0.0.1:" in capsys.readouterr().err
