"""Makes of a config file what the agents of a gateway work by: their specs, prompts, tools and prices.

Imported only where agents are on.
"""

from __future__ import annotations

import errno
import logging
import stat
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

from clawgate.agents.definition.spec import PROMPT_FILES, AgentSpec, read_agents
from clawgate.agents.definition.tool_diagnostics import known_tools, tool_diagnostics
from clawgate.agents.definition.toolset import ToolSet
from clawgate.agents.endpoint.service import AgentConfig
from clawgate.agents.request.images import ImageRules
from clawgate.agents.run.step import Usage
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.own_settings import own_settings
from clawgate.state.prices import cost_of
from clawgate.state.retention import Retention

logger = logging.getLogger("clawgate.agents")

_LARGEST_FILE = 1_048_576
_DAY_SECONDS = 86_400.0


def agent_config(
    file: ConfigFile, catalog: Catalog, state: Path, tools: Callable[[], Iterable[RegisteredTool]]
) -> AgentConfig:
    """``tools`` returns those of the plugins that run now. Logs what is wrong with the rules of tools."""
    for found in tool_diagnostics(file, state):
        logger.warning("%s", found)
    prompts, known = PromptFiles(), known_tools(file, state)
    return AgentConfig(
        agents=read_agents(file.config, own_settings(file.config), catalog, str(state)),
        images=ImageRules.of(file.config.gateway.http.endpoints.chat_completions.images),
        prompt_of=prompts.prompt_of,
        tools_of=lambda spec, session: ToolSet(
            tools(), spec.tools, agent=spec.id, session=session, known=known
        ),
    )


class PromptFiles:
    """The files of workspaces that are prompts, read again when they have changed."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, int], str]] = {}
        self._problems: dict[Path, str] = {}

    def prompt_of(self, spec: AgentSpec) -> str:
        if spec.system_prompt is not None or not spec.reads_files:
            return spec.prompt({})
        folder = Path(spec.workspace).expanduser()
        return spec.prompt({name: self._text(folder / name) for name in PROMPT_FILES})

    def _text(self, path: Path) -> str:
        """Return the text of a file, nothing for one that is not there; one that must not be read is warned about."""
        try:
            text = self._read_text(path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            problem = error.strerror or str(error)
            if self._problems.get(path) != problem:
                self._problems[path] = problem
                logger.warning("%s: it is not a part of the agent's prompt: %s", path, problem)
            return ""
        self._problems.pop(path, None)
        return text

    def _read_text(self, path: Path) -> str:
        """Raises `OSError`, also for what could block, and for a link that leads out of the workspace."""
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if not path.resolve().is_relative_to(path.parent.resolve()):
            raise OSError(errno.EPERM, "it is a link out of the workspace; copy the file")
        seen = (found.st_mtime_ns, found.st_size)
        known = self._read.get(path)
        if known is None or known[0] != seen:
            with path.open(encoding="utf-8", errors="replace") as text:
                known = self._read[path] = (seen, text.read(_LARGEST_FILE))
        return known[1]


def retention(file: ConfigFile) -> Retention:
    settings = own_settings(file.config)
    own, responses = settings.sessions, settings.responses
    return Retention(
        session_age=own.max_age_days * _DAY_SECONDS,
        session_turns=own.max_turns,
        session_bytes=own.max_megabytes * 1_000_000,
        sessions_per_caller=own.max_sessions,
        usage_age=own.usage_days * _DAY_SECONDS,
        response_age=responses.max_age_days * _DAY_SECONDS,
        response_bytes=responses.max_megabytes * 1_000_000,
        responses_per_caller=responses.max_responses,
    )


class PriceList:
    """Prices of model calls, by the provider's id or its address."""

    def __init__(self, models: ModelRouter) -> None:
        self._models = models

    def cost_of(self, model: ModelRef | None, usage: Usage) -> Decimal | None:
        provider = self._models.catalog.providers.get(model.provider) if model is not None else None
        if model is None or provider is None:
            return None
        return cost_of(
            model.provider,
            model.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            at=time.time(),
            base_url=None if provider.built_in else f"{provider.origin}{provider.path}",
        )
