"""Words errors that only the operator can fix so that OpenClaw, as the host of a bridge, shows them at once.

It reads the words, the type and the code of an error with status 400 or 404, too: by some it takes it for a failed
login or an unpaid bill and sends nothing for a minute or longer, by others it retries for 80 s (read in openclaw
2026.9.6, `message-patterns` and `classify-core`). What it would find gets an asterisk, of the same length: exp*red.
"""

from __future__ import annotations

import re

from clawgate.errors import (
    AuthLocked,
    EgressDenied,
    GatewayError,
    InvalidToken,
    ProviderNotConfigured,
    UpstreamMalformed,
    UpstreamRedirected,
    UpstreamTimedOut,
    UpstreamUnreachable,
)

_SHUTTING = (
    r"api[_ ]?key|authenticat|unauthori[sz]ed|forbidden|denied|permission|scopes?:|expired|\b40[123]\b|organi[sz]ation",
    r"no credentials|not validate|invalid token|token refresh failed|failed to (?:extract|parse|validate|decode)",
    r"key has been|account has been|deactivated|1113|1311|ce-011|无权访问|认证失败|鉴权失败|密钥无效|违规请求|禁止访问",
    r"payment|credit|balance|quota|billing|subscription|current\s+plan|out of budget|spend(?:ing)?\s+limit",
    r"usage ?limit|extra usage|余额不足|欠费",
)
"""What OpenClaw takes for a failed login or an unpaid bill: of each of its patterns a part that it needs."""
_RETRIED = (
    r"rate[_ ]limit|too many|\b429\b|throttl(?:ing|ed)|concurrency limit|model_cooldown|exhausted|\btpm\b|tokens per",
    r"daily|weekly|monthly|请求过于频繁|调用频率|频率限制|配额不足|配额已用尽|额度不足|额度已用尽",
    r"overload|at capacity|unavailable|notready|high (?:demand|load)|服务过载|负载过高|访问量过大",
    r"while processing|internal server|internal_error|server_error|bad gateway|upstream[ _](?:connect )?error",
    r"connection (?:reset|error)|http\s+5\d\d|内部错误|服务器错误|系统错误|系统繁忙|系统异常|服务繁忙|暂时不可用",
    r"time(?:d |d)?out|deadline exceeded|network error|network request|fetch failed|socket hang up|premature close",
    r"网络错误|网络异常|请求超时|连接超时|连接错误|stream (?:disconnected|ended|was closed|was aborted|closed|aborted)",
    r"\be(?:conn(?:refused|reset|aborted)|net(?:unreach|reset)|host(?:unreach|down)|pipe|notfound)\b|\beai_again\b",
    r"without sending|reason:|operation was aborted|terminated|stream_read_error|\bund_err|request failed",
    r"unknown error|got status:|status: internal|unknown model|not[_ -]?found|invalid model|valid model id",
    r"does not exist|no endpoints|not support|deprecated|invalid session|no such session|no conversation",
    r"(?:session|conversation) invalid|context (?:length|window|size)|too[ _](?:long|large)|maximum|exceed|token limit",
    r"string should match|tool_use",
)
"""What OpenClaw tries again, or takes for another failure that a request or a model has."""


def _of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE | re.ASCII)  # of ASCII, as \b is in JavaScript


_SHUTS = _of(_SHUTTING)
_FOUND = _of(_SHUTTING + _RETRIED)


def shuts(text: str) -> bool:
    """Whether OpenClaw would send nothing more to a provider after an error with this text."""
    return _SHUTS.search(text) is not None


def starred(text: str) -> str:
    """Return ``text`` with an asterisk for a letter of everything that OpenClaw would find in it."""
    return _FOUND.sub(lambda found: f"{found[0][:-2]}*{found[0][-1]}", text)


def for_operator(error: GatewayError, status: int | None) -> GatewayError:
    """Return ``error`` with ``status``, if there is one, and if another try would fail as well until it is fixed."""
    is_refused = isinstance(
        error,
        UpstreamUnreachable
        | UpstreamRedirected
        | UpstreamMalformed
        | EgressDenied
        | ProviderNotConfigured
        | InvalidToken
        | AuthLocked,
    )
    is_silent = isinstance(error, UpstreamTimedOut) and error.limit == "connect"
    if status is None or not (is_refused or is_silent):
        return error
    message = starred(error.message)
    twin = (
        UpstreamUnreachable(message) if is_silent else error.with_message(message)
    )  # "timeout" is a word to retry by
    twin.status = status
    return twin
