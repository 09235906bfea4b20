"""What has to be written so that the machine keeps a gateway running? A user unit of systemd, or an agent of launchd.

Pure: texts from values. No secret belongs into either; the gateway reads its own from its config and its .env file.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

UNIT_NAME = "clawgate-gateway.service"
AGENT_LABEL = "clawgate.gateway"
NEVER_AGAIN = (2, 78)
"""Exit statuses that another start cannot mend: unusable settings; a port or a state folder that is taken."""

CARRIED_VARIABLES = ("OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH")
"""What says where the files are. Tokens and keys never stand in a unit, which others may be able to read."""

_HARDENING = (
    # Only what a user's own manager can do without a namespace of its own.
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
    """``command`` begins with an absolute path; ``stop_seconds`` is how long a drain may take."""

    command: Sequence[str]
    folder: PurePath
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 60


def systemd_unit(plan: UnitFile) -> str:
    """A user unit, as systemd.unit(5) and systemd.service(5) want it."""
    statuses = " ".join(map(str, NEVER_AGAIN))
    lines = [
        "[Unit]",
        "Description=clawgate gateway",
        "StartLimitIntervalSec=60",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(_systemd_word(word) for word in plan.command)}",
        "ExecReload=/bin/kill -USR1 $MAINPID",
        f"WorkingDirectory={_percent(str(plan.folder))}",
        *(
            f"Environment={_systemd_quoted(_percent(f'{name}={value}'))}"
            for name, value in plan.environment.items()
        ),
        "Restart=on-failure",
        "RestartSec=2",
        f"RestartPreventExitStatus={statuses}",
        "KillMode=mixed",
        f"TimeoutStopSec={plan.stop_seconds}",
        *_HARDENING,
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def launchd_agent(plan: UnitFile, output: PurePath) -> bytes:
    """An agent for ~/Library/LaunchAgents, as launchd.plist(5) wants it."""
    return plistlib.dumps(
        {
            "Label": AGENT_LABEL,
            "ProgramArguments": list(plan.command),
            "WorkingDirectory": str(plan.folder),
            "EnvironmentVariables": dict(plan.environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": plan.stop_seconds,
            "Umask": 0o077,
            "ProcessType": "Interactive",
            "StandardOutPath": str(output),
            "StandardErrorPath": str(output),
        }
    )


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _systemd_word(word: str) -> str:
    """A word of a command line: neither a specifier nor a variable is to be found in it."""
    return _systemd_quoted(_percent(word).replace("$", "$$"))


def _systemd_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    plain = text and all(sign.isalnum() or sign in "-_./=:,@+%$" for sign in text)
    return escaped if plain else f'"{escaped}"'
