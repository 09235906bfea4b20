"""Finds out whether an installed gateway could start, and which variables of this shell it would lack.

A service manager starts it with a small environment of its own: variables of the shell that installs it do not reach
it. No secret is carried into the service's file, which other users may be able to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.preflight import start_refusal
from clawgate.cli.paths import Paths
from clawgate.cli.service import carried_variables
from clawgate.settings.environment import named_environment

if TYPE_CHECKING:
    from clawgate.settings.openclaw.gateway import GatewayFlags

_PASSED_BY_THE_MANAGER = ("HOME", "USER", "LOGNAME", "LANG", "XDG_RUNTIME_DIR")
_READ_WITHOUT_A_REFERENCE = (
    "OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD", "OPENAI_API_KEY", "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "MERIDIAN_API_KEY", "PROXY_BRIDGE_URL", "PROXY_BRIDGE_TOKEN",
    "PROXY_BRIDGE_LOCAL_TOKEN",
)  # fmt: skip
"""Variables that count without a mention in the config."""


def check_service(
    paths: Paths,
    flags: GatewayFlags,
    process: Mapping[str, str],
    *,
    is_active: bool,
    log_file: str | None,
    env_file: str | None = None,
) -> list[str]:
    """Return a note for each variable that the service would lack; end the command if the gateway could not start.

    ``is_active``: the service runs already, so its port is taken by itself. ``env_file`` has variables of the service.
    """
    from clawgate.settings.openclaw.config_file import read_config

    own = {name: process[name] for name in _PASSED_BY_THE_MANAGER if name in process}
    own |= carried_variables(process)
    refusal = start_refusal(paths, flags, own, env_file=env_file, log_file=log_file, sockets=())
    if refusal is not None and not (is_active and refusal.status == ExitCode.PORT_TAKEN):
        fail(
            "the service could not start, nothing was installed (variables of this shell do not reach it; those of "
            f"{env_file or paths.state / '.env'} do):",
            refusal.problems,
            status=refusal.status,
        )
    file = read_config(paths.config, named_environment(own, env_file), required=paths.config_named)
    unset = [name for name in _READ_WITHOUT_A_REFERENCE if process.get(name) and name not in file.environment]
    notes, file_name = [], env_file or paths.state / ".env"
    for name in dict.fromkeys((*unset, *file.unset.values())):
        where = "set in this shell only" if process.get(name) else "not set"
        notes.append(
            f"  note: {name} is {where}; the service needs it in {file_name} (mode 0600) or in the config"
        )
    return notes
