"""Says for the keys of LiteLLM's config that are not taken over why not, and what takes their place. Pure.

Each text is ``<why>`` or ``<why>; <what to do>``. A key that is not listed has no counterpart.
"""

from __future__ import annotations

_NO_BALANCE = "clawgate does not spread requests over deployments"
_OF_CLIENTS = "clients send it in their requests"
_OF_PROVIDER = "it is a limit of a provider here; set plugins.entries.clawgate.config.providers.<id>"
_PRICES = "prices are those of the package genai-prices"
_BY_REASON = dict.fromkeys(
    ("content_policy_fallbacks", "context_window_fallbacks"),
    "a list of fallbacks is for a model, not for one reason of a failure; see: clawgate models fallbacks list",
)
_RETRIES = "a failed attempt is not repeated; list fallbacks: clawgate models fallbacks add"
_COMPAT = "what a model rejects is left out by models.providers.<id>.models[].compat"

WHY_NOT_PARAM = {
    **dict.fromkeys(("order", "rpm", "tpm", "weight"), _NO_BALANCE),
    **dict.fromkeys(("max_completion_tokens", "max_tokens", "reasoning_effort"), _OF_CLIENTS),
    **dict.fromkeys(("seed", "stop", "temperature", "top_p"), _OF_CLIENTS),
    **dict.fromkeys(("max_retries", "num_retries"), _RETRIES),
    **dict.fromkeys(("input_cost_per_token", "output_cost_per_token"), _PRICES),
    "api_version": "Azure's API of version 1, which is used, has no api-version",
    "drop_params": _COMPAT,
    "max_parallel_requests": f"{_OF_PROVIDER}.maxUpstreamConnections",
    "stream_timeout": f"{_OF_PROVIDER}.timeouts.firstByte",
}
"""Of ``litellm_params``."""

WHY_NOT_INFO = dict.fromkeys(("input_cost_per_token", "output_cost_per_token"), _PRICES)
"""Of ``model_info``."""

WHY_NOT = {
    "": {
        "environment_variables": "variables are not copied; write them to the file .env of the state folder, mode 0600",
        "guardrails": "clawgate does not look into prompts",
        "mcp_servers": "servers of tools are set anew; see mcp.servers",
    },
    "general_settings": {
        "database_url": "clawgate needs no database for this",
        **dict.fromkeys(("host", "port"), "where clawgate listens is set by gateway.bind and gateway.port"),
        "master_key": "clients present the gateway's token; to keep this one: "
        "clawgate config set gateway.auth.token --stdin",
    },
    "litellm_settings": {**_BY_REASON, "drop_params": _COMPAT, "num_retries": _RETRIES},
    "router_settings": {**_BY_REASON, "num_retries": _RETRIES, "routing_strategy": _NO_BALANCE},
}
"""Of a section of the file; "" is its top."""
