"""Declares every method of the protocol that this gateway has.

Law: a method is here or it is not there: dispatch, `hello-ok` and docs/websocket.md have it from this table. Names,
scopes and params are those of the contract; of the params that came after 2026.9.1, those that real clients send.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from clawgate.control.websocket.method import Handler, Method
from clawgate.control.websocket.methods import approvals, chat, gateway, models, sessions
from clawgate.control.websocket.params import NonEmpty, Params, ParamsReader, Positive, Text
from clawgate.policy.proxy_identity import ADMIN, APPROVALS, READ, WRITE

Members = Mapping[Any, str]
RunIds = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=256)]],
    msgspec.Meta(min_length=1, max_length=50),
]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _Any(msgspec.Struct, frozen=True):
    """Params of any kind, as OpenClaw takes them for these methods."""


def _of_gateway(
    name: str,
    scope: str,
    shape: type[msgspec.Struct],
    handler: Handler,
    about: str,
    ignored: Members | None = None,
    **more: bool,
) -> Method:
    reader = ParamsReader(shape, ignored)
    return Method(name=name, scope=scope, reader=reader, handler=handler, about=about, **more)


def _of_agents(
    name: str,
    scope: str,
    shape: type[msgspec.Struct],
    handler: Handler,
    about: str,
    ignored: Members | None = None,
    refused: Members | None = None,
) -> Method:
    return Method(
        name=name,
        scope=scope,
        reader=ParamsReader(shape, ignored, refused),
        handler=handler,
        about=about,
        of_agents=True,
        has_effect=scope != READ and handler is not chat.agent_wait,
        ends_runs=handler in (chat.chat_abort, chat.sessions_abort),
    )


_LIST_IGNORED: Members = {
    bool: "includeGlobal includeUnknown configuredAgentsOnly includeDerivedTitles includePeople ownerFirst "
    "requireLastInteraction involvingMe",
    Literal["updatedAt", "lastInteractionAt", "activity"]: "sortBy",
    Literal["chat", "dashboard"]: "boardFace",
}
_LIST_REFUSED: Members = {
    Label: "label",
    NonEmpty: "spawnedBy creatorId ownerId involvingProfileId",
    bool | Literal["all"]: "archived",
}
_PATCH_REFUSED: Members = {
    Label | None: "label category",
    NonEmpty | None: "contextWindow thinkingLevel",
    Text: "icon color statusNote attention reasoningLevel verboseLevel "
    "traceLevel elevatedLevel responseUsage execHost execSecurity execAsk execNode sendPolicy groupActivation "
    "permissionMode expectedPermissionMode completionOwnerSessionKey",
    bool: "archived pinned unread",
    bool | Literal["auto"] | None: "fastMode",
    NonEmpty: "expectedLifecycleRevision",
    Literal["chat", "dashboard"]: "boardFace",
    Positive: "ttlMinutes",
    Any: "toolOverrides expectedToolOverrides expectedMarkedUnreadAt inheritedToolAllow inheritedToolDeny "
    "inheritedToolPolicyVersion",
}
_CREATE_IGNORED: Members = {
    Annotated[str, msgspec.Meta(min_length=1, max_length=500)]: "displayName",
    NonEmpty: "parentSessionKey",
    bool: "emitCommandHooks succeedsParent",
}
_CREATE_REFUSED: Members = {
    Label: "label category",
    NonEmpty: "idempotencyKey contextWindow thinkingLevel catalogId projectId worktreeBaseRef execNode cwd",
    Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]: "projectGitUrl",
    Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]: "worktreeName",
    str: "task",
    bool: "incognito fork worktree",
    bool | Literal["auto"]: "fastMode",
    Literal["read-only", "guarded", "workspace", "full"]: "permissionMode",
    Literal["shared", "read-only", "suggest", "draft"]: "visibility",
    Literal["last-completed"]: "forkFrom",
    Positive: "spawnDepth",
    dict[str, Any]: "toolOverrides",
}
_SEND_IGNORED: Members = {
    str: "originatingChannel originatingTo originatingAccountId originatingThreadId systemProvenanceReceipt",
    NonEmpty: "replyToId",
    bool | Literal["auto"]: "fastMode",
    Positive: "fastAutoOnSeconds",
    Literal["steer", "followup", "collect", "interrupt"]: "queueMode",
}
_SEND_REFUSED: Members = {
    bool: "deliver suppressCommandInterpretation",
    NonEmpty: "expectedSessionRoutingContract",
    Text: "expectedLeafEntryId",
    dict[str, Any]: "toolBindings intent systemInputProvenance",
    Any: "expectedPermissionMode expectedToolOverrides",
}
_AGENT_IGNORED: Members = {
    str: "channel replyTo replyChannel accountId replyAccountId threadId groupId groupChannel groupSpace lane "
    "voiceWakeTrigger",
    Label: "label",
    bool: "bestEffortDeliver cleanupBundleMcpOnRunEnd disableMessageTool forceRestartSafeTools",
    Literal["full", "lightweight"]: "bootstrapContextMode",
    Literal["default", "heartbeat", "cron"]: "bootstrapContextRunKind",
    Literal["automatic", "message_tool_only"]: "sourceReplyDeliveryMode",
    Literal["visible", "internal"]: "sessionEffects",
}
_AGENT_REFUSED: Members = {
    str: "to",
    NonEmpty: "cwd expectedExistingSessionId internalRuntimeHandoffId execApprovalFollowupExpectedSessionId",
    bool: "deliver modelRun suppressPromptPersistence swarmCollector forceCodeModeTools internalExecutionIdentityRetry",
    Positive: "internalExecutionIdentityRecoveryAttempt",
    Literal["full", "minimal", "none"]: "promptMode",
    Literal["manual_spawn"]: "acpTurnSource",
    list[Any]: "internalEvents",
    dict[str, Any]: "inputProvenance swarmOutputSchema",
}

_ALL = (
    _of_gateway("health", READ, _Any, gateway.health, "its life, its plugins, and whether requests would fail"),
    _of_gateway("status", READ, _Any, gateway.status, "version, default model, sessions by agent"),
    _of_gateway("system-presence", READ, _Any, gateway.system_presence, "this gateway, as the one that is present"),
    _of_gateway(
        "models.list", READ, models.ModelsList, models.models_list, "models, and whether each can be used now",
        {NonEmpty: "agentId", bool: "includeProviderCapabilities includeDetails"},
    ),
    _of_gateway("logs.tail", READ, gateway.LogsTail, gateway.logs_tail, "lines of the log file", of_owner=True),
    _of_gateway("config.get", READ, Params, gateway.config_get, "the config, without its secrets", of_owner=True),
    _of_gateway(
        "gateway.restart.preflight", READ, _Any, gateway.restart_preflight, "whether a restart would wait for runs",
        of_owner=True,
    ),
    _of_gateway(
        "gateway.restart.request", ADMIN, gateway.RestartRequest, gateway.restart_request,
        "restart once the running requests have ended", has_effect=True, of_owner=True,
    ),
    _of_agents("agents.list", READ, Params, models.agents_list, "the agents, and their models"),
    _of_agents(
        "sessions.list", READ, sessions.SessionsList, sessions.sessions_list, "the caller's sessions, newest first",
        _LIST_IGNORED, _LIST_REFUSED,
    ),
    _of_agents(
        "sessions.subscribe", READ, sessions.SessionsList, sessions.sessions_subscribe,
        "`sessions.changed` from now on, with a list for params", _LIST_IGNORED, _LIST_REFUSED,
    ),
    _of_agents(
        "sessions.preview", READ, sessions.SessionsPreview, sessions.sessions_preview, "the last texts of sessions"
    ),
    _of_agents(
        "sessions.describe", READ, sessions.SessionsDescribe, sessions.sessions_describe, "one session as a row",
        {bool: "includeDerivedTitles includeLastMessage"},
    ),
    _of_agents("sessions.get", READ, sessions.SessionsGet, sessions.sessions_get, "the messages of one session"),
    _of_agents(
        "sessions.resolve", READ, sessions.SessionsResolve, sessions.sessions_resolve,
        "the key of a session, by key or `sessionId`",
        {bool: "includeGlobal includeUnknown"}, {NonEmpty: "label shortId slugHint spawnedBy"},
    ),
    _of_agents(
        "sessions.patch", WRITE, sessions.SessionsPatch, sessions.sessions_patch, "set a session's model",
        None, _PATCH_REFUSED,
    ),
    _of_agents(
        "sessions.create", WRITE, chat.SessionsCreate, chat.sessions_create, "make a session, with a first message",
        _CREATE_IGNORED, _CREATE_REFUSED,
    ),
    _of_agents(
        "sessions.reset", ADMIN, sessions.SessionsReset, sessions.sessions_reset, "begin a session anew",
    ),
    _of_agents(
        "sessions.delete", ADMIN, sessions.SessionsDelete, sessions.sessions_delete,
        "delete a session that is not an agent's main one",
        {bool: "emitLifecycleHooks"},
        {NonEmpty: "expectedLifecycleRevision", float: "expectedSessionUpdatedAt", bool: "archivedOnly"},
    ),
    _of_agents("sessions.send", WRITE, chat.SessionsSend, chat.sessions_send, "as `chat.send`, by `key`"),
    _of_agents(
        "sessions.abort", WRITE, chat.SessionsAbort, chat.sessions_abort, "stop the runs of a session, or one",
        {bool: "clearQueued"},
    ),
    _of_agents(
        "chat.send", WRITE, chat.ChatSend, chat.chat_send, "send a message; `chat` and `agent` events have the rest",
        _SEND_IGNORED, _SEND_REFUSED,
    ),
    _of_agents("chat.inject", ADMIN, chat.ChatInject, chat.chat_inject, "add a message of the agent to a session"),
    _of_agents(
        "chat.abort", WRITE, chat.ChatAbort, chat.chat_abort, "stop the runs of a session, or one",
        {bool: "preserveSideRuns"},
    ),
    _of_agents(
        "chat.history", READ, chat.ChatHistory, chat.chat_history, "the messages of a session, page by page",
        {NonEmpty: "sessionId", Positive: "pendingBefore"}, {NonEmpty: "messageId", RunIds: "inputRunIds"},
    ),
    _of_agents(
        "agent", WRITE, chat.AgentParams, chat.agent, "send a message; the second response has the result",
        _AGENT_IGNORED, _AGENT_REFUSED,
    ),
    _of_agents("agent.wait", WRITE, chat.AgentWait, chat.agent_wait, "wait for the end of a run"),
    _of_agents(
        "plugin.approval.list", APPROVALS, Params, approvals.approval_list, "the calls of tools that wait for approval"
    ),
    _of_agents(
        "plugin.approval.resolve", APPROVALS, approvals.ApprovalResolve, approvals.approval_resolve,
        "approve a call (`allow-once`), or refuse it (`deny`)", None, {dict[str, Any]: "reviewer"},
    ),
)  # fmt: skip

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
