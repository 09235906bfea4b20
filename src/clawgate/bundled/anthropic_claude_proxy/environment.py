"""What does the proxy's process see of the gateway's environment? Only what it needs; no API key of ours. Pure.

Measured: port and host reach opencode-claude-max-proxy and its successor @rynfar/meridian through variables alone, with
one prefix each. Passthrough keeps the client's tools the client's: without it the proxy drops them and lets Claude use
a shell and files of this machine. The CLI's own retries have to be bounded, else a failure takes minutes to come out.
"""

from __future__ import annotations

from collections.abc import Mapping

_PASSED = frozenset(
    {
        # who and where the user is: logins are files below HOME
        "HOME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL",
        # the login of Claude Code, where it is not in HOME
        "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_MAX_RETRIES",
        # the way out, for companies that have one of their own
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "NODE_USE_ENV_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
        # where bunx and npx find and keep packages
        "BUN_INSTALL", "BUN_INSTALL_CACHE_DIR", "NVM_DIR", "NVM_BIN", "VOLTA_HOME", "npm_config_registry",
        "npm_config_cache", "npm_config_userconfig",
    }
)  # fmt: skip
_PASSED_PREFIXES = ("LC_", "XDG_", "MERIDIAN_", "CLAUDE_PROXY_")
"""The last two are the proxies' own settings, ``MERIDIAN_API_KEY`` among them."""


def child_environment(
    environment: Mapping[str, str], *, host: str, port: int, is_root: bool = False
) -> dict[str, str]:
    """All that the proxy's process gets of ``environment``, and what we say to it."""
    found = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    found.setdefault("CLAUDE_CODE_MAX_RETRIES", "1")
    for prefix in ("CLAUDE_PROXY", "MERIDIAN"):
        found |= {f"{prefix}_HOST": host, f"{prefix}_PORT": str(port), f"{prefix}_PASSTHROUGH": "1"}
    if is_root:
        # Claude Code refuses root where it may not ask, and the older proxy then answers 401 to everything; in a
        # container, which is where a gateway runs as root, this variable tells it that it may.
        found["IS_SANDBOX"] = "1"
    return found
