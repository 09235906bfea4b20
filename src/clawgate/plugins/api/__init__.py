"""The plugin interface: everything that a plugin may import from clawgate.

Anything else may change with any release. A plugin is an object with an id, a version, a typed config and `register`,
which hands over services, providers, commands and tools.
"""

from __future__ import annotations

from clawgate.plugins.api.command import CommandContext, CommandPlugin, StatusCommand, StatusReport
from clawgate.plugins.api.config_document import address_in, entry_paths, object_at
from clawgate.plugins.api.plugin import API_VERSION, Plugin, PluginConfig, PluginError, Registrar
from clawgate.plugins.api.provider import (
    CheckResult,
    ChecksConfig,
    ConfigChange,
    DeclaredProvider,
    Dialect,
    ImpliesProvider,
    MappedError,
    MapsErrors,
    ProviderPlugin,
    RequestRefused,
    SpeaksDialects,
    TransformsRequests,
    UpstreamRequest,
)
from clawgate.plugins.api.questions import Answers, Choice, Choices, Question, QuestionKind
from clawgate.plugins.api.service import (
    ChildHandle,
    ChildSpec,
    Fetch,
    FetchFailed,
    FetchFailure,
    FetchRequest,
    FetchResponse,
    Health,
    HostContext,
    Probe,
    ProbeResult,
    Reconfigurable,
    RelaySpec,
    RunningRelay,
    Service,
    ServiceContext,
    ServiceStatus,
    SetupContext,
    TrustedUser,
    Unavailable,
)
from clawgate.plugins.api.tool import Tool, ToolCall, ToolFailed, ToolResult
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.fields import Port, Seconds, Secret, Url, env_var
from clawgate.settings.key_path import KeyPath
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.relay import RelaySettings
from clawgate.settings.secrets import basic_login, login_problem, secret_problem
from clawgate.wire.http.base_url import base_url

__all__ = [
    "API_VERSION",
    "Answers",
    "BridgeSettings",
    "CheckResult",
    "ChecksConfig",
    "ChildHandle",
    "ChildSpec",
    "Choice",
    "Choices",
    "CommandContext",
    "CommandPlugin",
    "ConfigChange",
    "DeclaredProvider",
    "Diagnostic",
    "Dialect",
    "Fetch",
    "FetchFailed",
    "FetchFailure",
    "FetchRequest",
    "FetchResponse",
    "Health",
    "HostContext",
    "ImpliesProvider",
    "KeyPath",
    "MappedError",
    "MapsErrors",
    "Plugin",
    "PluginConfig",
    "PluginError",
    "Port",
    "Probe",
    "ProbeResult",
    "ProviderPlugin",
    "Question",
    "QuestionKind",
    "Reconfigurable",
    "Registrar",
    "RelaySettings",
    "RelaySpec",
    "RequestRefused",
    "RunningRelay",
    "Seconds",
    "Secret",
    "Service",
    "ServiceContext",
    "ServiceStatus",
    "SetupContext",
    "Severity",
    "SpeaksDialects",
    "StatusCommand",
    "StatusReport",
    "Tool",
    "ToolCall",
    "ToolFailed",
    "ToolResult",
    "TransformsRequests",
    "TrustedUser",
    "Unavailable",
    "UpstreamRequest",
    "Url",
    "address_in",
    "base_url",
    "basic_login",
    "entry_paths",
    "env_var",
    "login_problem",
    "object_at",
    "secret_problem",
]
