"""Builds the environment of the proxy's process: what it needs of the gateway's, and no API key of ours. Pure.

Measured: opencode-claude-max-proxy and its successor @rynfar/meridian read port and host from variables only, with one
prefix each. Passthrough mode returns tool calls to the client: without it the proxy drops the client's tools and lets
Claude use a shell and files of this machine. The CLI's retries must be bounded, or an error takes minutes to appear.
"""

from __future__ import annotations

from collections.abc import Mapping

_PASSED = frozenset(
    {
        # the user: logins are files below HOME
        "HOME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL",
        # the login of Claude Code outside of HOME
        "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_MAX_RETRIES",
        # forward proxies and certificate authorities
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "NODE_USE_ENV_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
        # caches and registries of bunx and npx
        "BUN_INSTALL", "BUN_INSTALL_CACHE_DIR", "NVM_DIR", "NVM_BIN", "VOLTA_HOME", "npm_config_registry",
        "npm_config_cache", "npm_config_userconfig",
    }
)  # fmt: skip
_PASSED_PREFIXES = ("LC_", "XDG_", "MERIDIAN_", "CLAUDE_PROXY_")
"""The last two are the proxies' own settings, ``MERIDIAN_API_KEY`` among them."""


def child_environment(
    environment: Mapping[str, str], extra: Mapping[str, str], *, host: str, port: int, is_root: bool
) -> dict[str, str]:
    """Return the environment of the process. ``extra`` overrides ``environment``, but not host, port and mode."""
    result = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    result.setdefault("CLAUDE_CODE_MAX_RETRIES", "1")
    if is_root:
        # Claude Code refuses to run as root, and the older proxy then rejects every request with 401. In a container,
        # where a gateway runs as root, this variable permits it.
        result["IS_SANDBOX"] = "1"
    result |= extra
    for prefix in ("CLAUDE_PROXY", "MERIDIAN"):
        result |= {f"{prefix}_HOST": host, f"{prefix}_PORT": str(port), f"{prefix}_PASSTHROUGH": "1"}
    return result
