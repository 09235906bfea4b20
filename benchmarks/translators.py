"""How are those started that stand between dialects: our gateway, and the LiteLLM proxy beside it?

Both get the same three upstreams under the same model names: one that speaks what the client speaks, and one in
each dialect to translate to. LiteLLM is not a dependency of anything here; it is measured where it is installed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.launch import Launch, Place
from benchmarks.roles import ENDS, MODEL, OF_RESPONSES, REAL_KEY, Role

_ROLES: tuple[Role, ...] = ("gateway", "to-chat", "to-messages")
_APIS = {"messages": "anthropic-messages", "responses": "openai-responses"}
_AGENT_ROLES: tuple[Role, ...] = ("model", "agent")


def litellm_program(python: Path | None) -> Path | None:
    """The ``litellm`` beside that Python, or the one on PATH."""
    found = shutil.which("litellm", path=str(python.absolute().parent) if python is not None else None)
    return Path(found) if found else None


def our_gateway(program: Path | None, place: Place) -> Launch:
    return _gateway(program, place, (*_ROLES, *OF_RESPONSES), {}, {})


def our_agents(program: Path | None, place: Place, database: str = "") -> Launch:
    """The gateway with one agent, named as the model is, whose state is in ``database``, by default in SQLite."""
    switch = {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}}
    agent = {"id": MODEL, "model": f"bench-agent/{MODEL}"}
    config = {"gateway": switch, "agents": {"list": [agent]}}
    return _gateway(
        program, place, _AGENT_ROLES, config, {"CLAWGATE_DATABASE_URL": database} if database else {}
    )


def _gateway(
    program: Path | None, place: Place, roles: tuple[Role, ...], more: dict[str, object], env: dict[str, str]
) -> Launch:
    providers = {}
    for role in roles:
        messages = ENDS[role].upstream == "messages"
        name = "bench-agent" if role == "agent" else ENDS[role].prefix.rstrip("/")
        providers[name] = {
            "baseUrl": f"http://127.0.0.1:{place.upstreams[role]}{'' if messages else '/v1'}",
            "api": _APIS.get(ENDS[role].upstream, "openai-completions"),
            "apiKey": REAL_KEY,
            "request": {"allowPrivateNetwork": True},
            "models": [{"id": MODEL, "name": MODEL}],
        }
    config = place.folder / "openclaw.json"
    config.write_text(json.dumps({"models": {"providers": providers}} | more))
    command = [str(program), "gateway", "run", "--config", str(config), "--port", str(place.port)]
    env |= {"OPENCLAW_STATE_DIR": f"{place.folder}/state", "OPENCLAW_GATEWAY_TOKEN": place.token}
    return Launch(command, env)


def litellm(program: Path | None, place: Place) -> Launch:
    """One worker on uvloop, no retries, quiet, and nothing fetched; its config is JSON, which is YAML as well."""
    models = []
    for role in _ROLES:
        messages = ENDS[role].upstream == "messages"
        parameters = {
            "model": f"{'anthropic' if messages else 'openai'}/{MODEL}",
            "api_base": f"http://127.0.0.1:{place.upstreams[role]}{'' if messages else '/v1'}",
            "api_key": REAL_KEY,
        }
        models.append({"model_name": ENDS[role].model, "litellm_params": parameters})
    settings = {
        "model_list": models,
        "general_settings": {"master_key": place.token},
        "litellm_settings": {
            "telemetry": False,
            "num_retries": 0,
            # else it asks OpenAI's Responses API for a client of Anthropic's
            "use_chat_completions_url_for_anthropic_messages": True,
        },
    }
    config = place.folder / "litellm.yaml"
    config.write_text(json.dumps(settings))
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(place.port)]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_PROXY": "127.0.0.1"}
    return Launch([*command, "--telemetry", "False"], env)
