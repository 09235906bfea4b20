"""How OpenClaw decides by the text of an error whether it retries: the rules that can match one of ours.

Read in openclaw 2026.9.6, `dist/message-patterns-*.mjs` and `classify-core-*.mjs`, in the order in which they are
tried. Everything in front of the rules of a retry ends the run.
"""

from __future__ import annotations

import re

_FINAL = (
    r"no endpoints found for|\brouter not found\b|unknown model|model[_\-\s]?not[_\-\s]?found",
    r"\bmodel\b.{0,60}?\bnot found\b|not_found_error|\bnot supported model\b|is not a valid model id",
    r"\b404\b(?=.*not[_\-\s]?found)|model(?=.*does not exist)|invalid model(?! reference)",
    r"\bsession (?:not found|does not exist|expired|invalid)\b",
    r"\bprevious_response_id\b.*\b(?:invalid|unknown|not found)\b",
    r"\b(?:got|returned|received)\s+(?:a\s+)?402\b|\bhttp\s*402\b|payment required|insufficient credits|credit balance",
    r"insufficient[_ ]quota|plans & billing|available balance|out of budget",
)
"""The model does not exist, the session is over, the account is empty."""
_RETRIED = (
    ("rate_limit", r"rate[_ ]limit|too many requests|usage limit|\btpm\b|\bquota[_ -]?exceeded\b"),
    ("overloaded", r"overloaded|\bservice(?:[_ ]temporarily)?[_ ]unavailable\b|high demand|high load"),
)
_UNAUTHORIZED = (
    r"incorrect api key|invalid token|authentication|unauthorized|forbidden|access denied|insufficient permission"
    r"|expired|\b401\b|\b403\b|no api key found|permission_error|invalid[_ ]?api[_ ]?key"
)
_TRANSIENT = (
    r"internal server error|server_error|bad gateway|gateway timeout|upstream error|upstream connect error"
    r"|connection reset|timeout|timed out|deadline exceeded|connection error|network error|fetch failed|socket hang up"
)
_STRUCTURED = r'"(?:type|code)":"(?:server_error|upstream_error)"'


def retry_reason(text: str) -> str | None:
    """Return why OpenClaw sends a request again whose stream ended with ``text``; None where it does not."""
    text = text.lower()
    if any(re.search(pattern, text) for pattern in _FINAL):
        return None
    for reason, pattern in _RETRIED:
        if re.search(pattern, text):
            return reason
    if re.search(_STRUCTURED, text):
        return "server_error"
    if re.search(_UNAUTHORIZED, text):
        return None
    return "timeout" if re.search(_TRANSIENT, text) else None
