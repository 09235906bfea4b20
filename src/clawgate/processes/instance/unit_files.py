"""Renders the service file of a gateway: a user unit of systemd, or an agent of launchd.

Pure. Must not contain secrets: the gateway reads its own from its config and its .env file.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from clawgate.settings.paths import VARIABLES

UNIT_NAME = "clawgate-gateway.service"
AGENT_LABEL = "clawgate.gateway"
NO_RESTART_STATUSES = (2, 78)
"""Exit statuses that a restart cannot fix: invalid settings; a port or a state folder that is taken."""

CARRIED_VARIABLES = tuple(VARIABLES)
"""Those that locate the files. No tokens or keys: other users may be able to read a unit."""

_HARDENING = (
    # Only what a user's systemd can apply without a namespace.
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "UMask=0077",
    "LimitNOFILE=65536",
)


@dataclass(frozen=True, slots=True)
class UnitFile:
    """The content of a service file. ``command`` begins with an absolute path; ``stop_seconds``: longest drain."""

    command: Sequence[str]
    folder: PurePath
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 60


def systemd_unit(unit: UnitFile) -> str:
    """Render a user unit (systemd.unit(5), systemd.service(5))."""
    statuses = " ".join(map(str, NO_RESTART_STATUSES))
    lines = [
        "[Unit]",
        "Description=clawgate gateway",
        "StartLimitIntervalSec=60",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(_systemd_word(word) for word in unit.command)}",
        "ExecReload=/bin/kill -USR1 $MAINPID",
        f"WorkingDirectory={_escape_specifiers(str(unit.folder))}",
        *(
            f"Environment={_systemd_quoted(_escape_specifiers(f'{name}={value}'))}"
            for name, value in unit.environment.items()
        ),
        "Restart=on-failure",
        "RestartSec=2",
        f"RestartPreventExitStatus={statuses}",
        "KillMode=mixed",
        f"TimeoutStopSec={unit.stop_seconds}",
        *_HARDENING,
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def launchd_agent(unit: UnitFile, output: PurePath) -> bytes:
    """Render an agent for ~/Library/LaunchAgents (launchd.plist(5))."""
    return plistlib.dumps(
        {
            "Label": AGENT_LABEL,
            "ProgramArguments": list(unit.command),
            "WorkingDirectory": str(unit.folder),
            "EnvironmentVariables": dict(unit.environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": unit.stop_seconds,
            "Umask": 0o077,
            "ProcessType": "Interactive",
            "StandardOutPath": str(output),
            "StandardErrorPath": str(output),
        }
    )


def _escape_specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _systemd_word(word: str) -> str:
    """Quote a word of a command line, with specifiers and variables escaped."""
    return _systemd_quoted(_escape_specifiers(word).replace("$", "$$"))


def _systemd_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    plain = text and all(char.isalnum() or char in "-_./=:,@+%$" for char in text)
    return escaped if plain else f'"{escaped}"'
