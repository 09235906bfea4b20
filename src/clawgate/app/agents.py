"""Hosts the agents of one gateway: their router, their runs and their database, from the moment they are on.

Law: where agents have never been on, nothing of them is imported. The database is opened by the first run that needs
it, or the first row of the egress ledger, and again by the next run where that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawgate.app.egress_recorder import EgressRecorder
from clawgate.app.shared_lockouts import SharedLockouts
from clawgate.control.websocket.clients import Clients
from clawgate.errors import GatewayError, StoreUnavailable
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.model_routing import ModelRef
from clawgate.policy.path_routing import EMBEDDINGS_PATH
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan, Router
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.upstream.dial import Dialer
from clawgate.routing.router import ModelRouter
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.database import DatabaseSetting, database_setting
from clawgate.settings.openclaw.own_settings import network_rules
from clawgate.settings.openclaw.web_tools import IMAGE, offered_tools
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.agents.endpoint.direct_responses import DirectAttempt, DirectResponses
    from clawgate.agents.endpoint.service import AgentService
    from clawgate.agents.run.inner_client import InnerExchanges
    from clawgate.agents.run.model_call import ModelCall, ModelCaller
    from clawgate.agents.session.run_order import RunServices
    from clawgate.agents.session.runs import Runs
    from clawgate.agents.tools.built_in import BuiltInTools
    from clawgate.control.websocket.agent_runs import AgentRuns
    from clawgate.state.store import Store

PRUNE_SECONDS = 3600.0
_SHARE_SECONDS = 1.0

logger = logging.getLogger("clawgate.agents")


def load_agents() -> None:
    """Import what agents need and read the price list, which takes too long for an event loop."""
    import clawgate.agents.endpoint.direct_responses
    import clawgate.agents.endpoint.embeddings
    import clawgate.agents.endpoint.router
    import clawgate.app.agent_config
    import clawgate.control.websocket.agent_runs  # noqa: F401
    from clawgate.state.prices import cost_of

    cost_of("openai", "gpt-4o", input_tokens=0, output_tokens=0, at=0.0)


class AgentHost:
    """``connections`` are those of the gateway's listener, ``clients`` its WebSockets; ``state`` is OpenClaw's state
    folder.

    ``tools`` returns those of the plugins that run now. ``recorder`` stores in the database while it is open;
    ``dialer`` is for our own tools.
    """

    def __init__(
        self,
        models: ModelRouter,
        connections: ConnectionManager,
        state: Path,
        tools: Callable[[], Iterable[RegisteredTool]],
        clients: Clients,
        recorder: EgressRecorder,
        dialer: Dialer,
    ) -> None:
        self._clients = clients
        self._recorder = recorder
        self._dialer = dialer
        self._built_in: BuiltInTools | None = None
        self.socket_runs: AgentRuns | None = None
        """The runs of WebSockets, from the moment that agents are on for the first time."""
        self._models = models
        self._connections = connections
        self._state = state
        self._tools = tools
        self._service: AgentService | None = None
        self._database: DatabaseSetting | None = None
        self._problem = ""
        self._file: ConfigFile | None = None
        self._runs: Runs | None = None
        self._caller: ModelCaller | None = None
        self._exchanges: InnerExchanges | None = None
        self._direct: DirectResponses | None = None
        self._store: Store | None = None
        self._opening: asyncio.Task[None] | None = None

    def router(self, file: ConfigFile) -> Router:
        """Return the router of requests for agents, by ``file`` from now on."""
        from clawgate.agents.endpoint.embeddings import AgentEmbeddings
        from clawgate.agents.endpoint.router import AgentRouter
        from clawgate.app.agent_config import agent_config

        self._file = file
        if self._service is None:
            self._service = self._make()
        self._use_database(file)
        self._use_built_in(file)
        self._service.config = agent_config(file, self._models.catalog, self._state, self._all_tools)
        return _ByPath(
            AgentRouter(self._service, self._find_direct), AgentEmbeddings(self._models, file.config)
        )

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Route a request of the Responses API to a model, whose response is stored where agents are on."""
        return (self._direct or self._models).route(head, body)

    def _find_direct(self, caller: str, run: str) -> DirectAttempt | None:
        return None if self._direct is None else self._direct.under_way.get((caller, run))

    def _use_built_in(self, file: ConfigFile) -> None:
        """Import our own tools, where the config has one of them."""
        if self._built_in is None:
            if not offered_tools(file.config):
                return
            self._built_in = self._make_built_in()
        self._built_in.use(file.config, network_rules(file.config))

    def _make_built_in(self) -> BuiltInTools:
        from clawgate.agents.tools.built_in import BuiltInTools
        from clawgate.agents.tools.image import ImageModels

        def call(chain: Sequence[ModelRef], fields: dict[str, Any], agent: str) -> ModelCall:
            assert self._caller is not None, "it is made with the service"
            return self._caller.call(chain, fields, caller=f"- agent:{agent}")

        images = ImageModels(chain_of=self._image_chain, workspace_of=self._workspace_of, call=call)
        return BuiltInTools(self._dialer, images, time.monotonic)

    def _image_chain(self, agent: str) -> Sequence[ModelRef]:
        """Return the models that look at images: the agent's own where the config names none.

        None of them where it names one that cannot be read: an image goes to no other model than those.
        """
        assert self._service is not None and self._file is not None, "an agent runs"
        catalog, chosen = self._models.catalog, self._file.config.agents.defaults.image_model
        names = [one for one in (chosen.primary, *chosen.fallbacks) if one] if chosen is not None else ()
        if not names:
            return self._service.config.agents.specs[agent].chain or catalog.resolve("").chain
        refs = [ModelRef.parse(name) or catalog.aliases.get(name) for name in names]
        return () if None in refs else tuple(filter(None, refs))

    def _workspace_of(self, agent: str) -> Path:
        assert self._service is not None, "an agent runs"
        return Path(self._service.config.agents.specs[agent].workspace).expanduser()

    async def describe_image(self, body: bytes, prompt: str, agent: str) -> str:
        """Return what a model sees on an image, where ``agent`` may use the tool for that. Raises `ToolFailed`."""
        from clawgate.plugins.api import ToolFailed

        tool = self._built_in.image if self._built_in is not None else None
        if tool is None:
            raise ToolFailed("it is not shown here; agents.defaults.imageModel has a model look at images")
        spec = self._service.config.agents.specs.get(agent) if self._service is not None else None
        if spec is None or not spec.tools.permits(IMAGE):
            raise ToolFailed("it is not shown here; this agent may not use the tool image")
        return await tool.describe(body, prompt, agent)

    def _all_tools(self) -> Iterable[RegisteredTool]:
        """Return each tool there is; one of a plugin takes the place of ours with its name."""
        return (*(self._built_in.tools if self._built_in is not None else ()), *self._tools())

    def _use_database(self, file: ConfigFile) -> None:
        """Read where the database is; what is wrong with that is the error of the runs that need it."""
        try:
            found = database_setting(file, self._state)
        except SettingsInvalid as error:
            if self._database is None:
                self._problem = str(error)
            return
        if self._database is None:
            self._database = found
            self._recorder.open_store = self._open_store

    def _make(self) -> AgentService:
        from clawgate.agents.endpoint.direct_responses import DirectResponses
        from clawgate.agents.endpoint.service import AgentService
        from clawgate.agents.run.inner_client import InnerExchanges
        from clawgate.agents.run.model_call import ModelCaller
        from clawgate.agents.session.runs import Runs
        from clawgate.control.websocket.agent_runs import AgentRuns

        self._exchanges = InnerExchanges(lambda: self._connections.context)
        self._caller = ModelCaller(self._models, self._exchanges)
        self._direct = DirectResponses(self._models, self._exchanges, self._open_store, time.time)
        self._runs = Runs(self._open_store, time.monotonic)
        service = AgentService(self._models, self._runs, self._services, time.time)
        self.socket_runs = AgentRuns(service, self._runs, self._open_store, self._clients, now_ms)
        return service

    def check_timeouts(self) -> None:
        if self._exchanges is not None:
            self._exchanges.check_timeouts()

    @property
    def running_count(self) -> int:
        """Runs under way, those without a client included."""
        return self._runs.running_count if self._runs is not None else 0

    async def run(self) -> None:
        """Delete what is too old once an hour, until the gateway ends; then stop all runs and close the database."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_survive(self._prune_hourly))
                tasks.create_task(_survive(self._share_lockouts))
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop all runs and close the database."""
        if self._runs is not None:
            await self._runs.close()
        if self.socket_runs is not None:
            await self.socket_runs.close()
        if self._built_in is not None:
            await self._built_in.close()
        if self._opening is not None:
            await asyncio.wait([self._opening])
        for upstream in self._models.upstreams:
            upstream.pool.close()  # no response is under way; with its end a connection reports its bytes
        await self._recorder.close()
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    async def _prune_hourly(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            await self.prune()

    async def _share_lockouts(self) -> None:
        """Exchange wrong tokens with the gateways at the same PostgreSQL, which is opened for that only once."""
        connections, was_tried = self._connections, False
        shared = SharedLockouts(lambda: connections.admission.failures, connections.now)
        while True:
            await asyncio.sleep(_SHARE_SECONDS)
            if self._database is None or not self._database.url.startswith("postgres"):
                continue
            if self._store is None and was_tried:
                continue
            was_tried = True
            with contextlib.suppress(GatewayError):  # each gateway counts for itself then
                others = (await self._open_store()).shared
                if others is not None:
                    await others.exchange(shared.news(), shared.receive)

    async def prune(self) -> None:
        """Delete what is older or larger than the config says, where the database was opened."""
        if self._store is None or self._file is None:
            return
        from clawgate.app.agent_config import retention

        try:
            pruned = await self._store.prune(retention(self._file))
        except GatewayError as error:
            logger.warning("agents: what is too old is not deleted: %s", error.message)
        else:
            logger.info("agents: deleted what is too old: %s", pruned)

    async def _services(self) -> RunServices:
        from clawgate.agents.session.run_order import RunServices
        from clawgate.app.agent_config import PriceList

        assert self._caller is not None, "a run is made by the service, which is made with it"
        caller = self._caller
        return RunServices(
            store=await self._open_store(),
            call_model=lambda chain, fields, name: caller.call(chain, fields, caller=name, repeats=True),
            cost_of=PriceList(self._models).cost_of,
            clock=time.time,
        )

    async def _open_store(self) -> Store:
        """Return the store; requests that come while it is opened share the attempt, and its error."""
        if self._store is None:
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._open())
                self._opening.add_done_callback(self._opened)
            await asyncio.shield(self._opening)
        assert self._store is not None, "`_open` raises, or sets it"
        return self._store

    async def _open(self) -> None:
        from clawgate.state.store import open_store

        if self._database is None:
            raise StoreUnavailable(self._problem)
        await asyncio.to_thread(load_agents)
        try:
            self._store = await open_store(self._database.url, clock=time.time)
        except GatewayError as error:
            logger.error("agents: no run can be stored: %s", error.message)  # noqa: TRY400
            raise
        logger.info("agents: sessions and usage are kept in %s", self._store.name)
        self._recorder.use(self._store)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # those that wait for it have it, if any still do


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _survive(work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` again after a defect in it: what it is for can wait, and runs do not depend on it."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("agents: an unforeseen error in %s; it is tried again", work.__name__)
        await asyncio.sleep(PRUNE_SECONDS)


class _ByPath:
    """The router of all requests for agents."""

    def __init__(self, chat: Router, embeddings: Router) -> None:
        self._chat = chat
        self._embeddings = embeddings

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        router = self._embeddings if head.path == EMBEDDINGS_PATH else self._chat
        return router.route(head, body)
