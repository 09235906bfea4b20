"""Renders the files of a service: user and system units of systemd, or an agent of launchd.

Pure. Must not contain secrets: a role reads its own from its config and its environment file.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from clawgate.settings.paths import VARIABLES

NO_RESTART_STATUSES = (2, 78)
"""Exit statuses that a restart cannot fix: invalid settings; a port or a state folder that is taken."""

CARRIED_VARIABLES = tuple(VARIABLES)
"""Those that locate the files. No tokens or keys: other users may be able to read a unit."""

_USER_HARDENING = (
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

_SYSTEM_HARDENING = (
    *_USER_HARDENING,
    "AmbientCapabilities=",
    "CapabilityBoundingSet=",
    "DevicePolicy=closed",
    "KeyringMode=private",
    "PrivateDevices=yes",
    "PrivateMounts=yes",
    "PrivateTmp=yes",
    "PrivateUsers=yes",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
    "RestrictNamespaces=yes",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
)
_WITHOUT_COMPILER = "MemoryDenyWriteExecute=yes"
"""For the relays alone: a gateway may have children that compile at run time, as Node does."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """The content of a service file. ``command`` begins with an absolute path; ``stop_seconds``: longest drain."""

    command: Sequence[str]
    folder: PurePath
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 60
    role: str = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUnit(UnitFile):
    """A service of the whole machine, which runs as ``user`` and listens by a socket unit.

    ``instance`` distinguishes services that share the socket for as long as one takes over from the other. ``state`` is
    the only folder that can be written. Each of ``listen`` is an address with its port.
    """

    user: str
    listen: Sequence[str]
    environment_file: PurePath | None = None
    instance: str = ""

    @property
    def service_name(self) -> str:
        return f"clawgate-{self.role}-{self.instance}.service" if self.instance else unit_name(self.role)

    @property
    def socket_name(self) -> str:
        return f"clawgate-{self.role}.socket"


def unit_name(role: str) -> str:
    return f"clawgate-{role}.service"


def agent_label(role: str) -> str:
    return f"clawgate.{role}"


def systemd_unit(unit: UnitFile) -> str:
    """Render a user unit (systemd.unit(5), systemd.service(5))."""
    lines = [
        *_unit_section(unit),
        "Type=exec",
        *_service_lines(unit),
        *_USER_HARDENING,
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def system_service(unit: SystemUnit) -> str:
    """Render a unit for /etc/systemd/system (systemd.exec(5)). Only ``unit.folder`` can be written."""
    file = unit.environment_file
    lines = [
        *_unit_section(unit, "Wants=network-online.target", "After=network-online.target"),
        "Type=notify",
        f"User={unit.user}",
        f"Sockets={unit.socket_name}",
        *_service_lines(unit),
        *([] if file is None else [f"EnvironmentFile={_escape_specifiers(str(file))}"]),
        f"ReadWritePaths={_systemd_word(str(unit.folder))}",
        *_SYSTEM_HARDENING,
        *([] if unit.role == "gateway" else [_WITHOUT_COMPILER]),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def system_socket(unit: SystemUnit) -> str:
    """Render the socket unit (systemd.socket(5)): the port stays open while one service takes over from another."""
    lines = [
        "[Unit]",
        f"Description=Port of the clawgate {unit.role}",
        "",
        "[Socket]",
        *(f"ListenStream={address}" for address in unit.listen),
        "BindIPv6Only=ipv6-only",
        "Backlog=4096",
        f"Service={unit.service_name}",
        "",
        "[Install]",
        "WantedBy=sockets.target",
    ]
    return "\n".join(lines) + "\n"


def _unit_section(unit: UnitFile, *more: str) -> list[str]:
    description = f"Description=clawgate {unit.role}"
    return ["[Unit]", description, *more, "StartLimitIntervalSec=60", "StartLimitBurst=5", "", "[Service]"]


def _service_lines(unit: UnitFile) -> list[str]:
    """Return what every service has. SIGUSR1 ends a role that is no gateway."""
    statuses = " ".join(map(str, NO_RESTART_STATUSES))
    return [
        f"ExecStart={' '.join(_systemd_word(word) for word in unit.command)}",
        *(["ExecReload=/bin/kill -USR1 $MAINPID"] if unit.role == "gateway" else []),
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
    ]


def launchd_agent(unit: UnitFile, output: PurePath) -> bytes:
    """Render an agent for ~/Library/LaunchAgents (launchd.plist(5))."""
    return plistlib.dumps(
        {
            "Label": agent_label(unit.role),
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
