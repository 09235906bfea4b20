"""Reads each request for an agent, and decides everything about its run before it starts.

Implements `Router`. May run in a thread: it reads, and touches nothing of the loop's. What a request may choose, and
what the config decides, is in one place here: agent, session, model, prompt, tools, limits, and what a disconnect does.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from clawgate import __version__
from clawgate.agents.definition.spec import Agents, AgentSpec
from clawgate.agents.definition.toolset import opaque_session
from clawgate.agents.endpoint.event_encoder import EventEncoder, parse_event_id
from clawgate.agents.endpoint.plan import AgentPlan, AgentRequest
from clawgate.agents.request.chat_request import ChatRequest, check_tool_names, read_request
from clawgate.agents.request.images import ImageRules
from clawgate.agents.request.side_tasks import is_side_task
from clawgate.agents.request.slash_commands import Facts, ListedModel, command_of
from clawgate.agents.request.target import SessionKey, Target, model_name, read_target
from clawgate.agents.run.events import RunEvent
from clawgate.agents.session.run_order import RunOrder, RunServices, Tools
from clawgate.agents.session.runs import Runs, RunStart
from clawgate.agents.session.session_run import SessionRun
from clawgate.errors import InvalidRequest, ModelNotFound
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import Availability
from clawgate.providers.catalog import Catalog
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.routing.router import ModelRouter
from clawgate.state.records import StoredSession

KEY_HEADER = "idempotency-key"
LAST_EVENT_HEADER = "last-event-id"
DISCONNECT_HEADER = "x-clawgate-disconnect"
TRACE_HEADER = "traceparent"
_WITHOUT_EFFECT = ("x-openclaw-message-channel",)
"""Headers of OpenClaw that change nothing here: there are no channels."""
_MAX_KEY = 255
_NO_TIMEOUT = 10 * 365 * 86_400.0
"""Seconds of a run for which the config sets no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What the config says. ``prompt_of`` and ``tools_of`` read what the agent has now."""

    agents: Agents
    images: ImageRules
    prompt_of: Callable[[AgentSpec], str]
    tools_of: Callable[[AgentSpec, str], Tools]
    """The tools of an agent in one run; the text is the id of its session that tools see."""


class AgentService:
    """``services`` opens the store when the first run needs it."""

    def __init__(
        self,
        models: ModelRouter,
        runs: Runs,
        services: Callable[[], Awaitable[RunServices]],
        clock: Callable[[], float],
    ) -> None:
        self._models = models
        self.runs = runs
        self._services = services
        self._clock = clock
        self.config: AgentConfig
        """Set before the first request, and again with each change of the config."""

    def route(self, head: AdmittedHead, body: bytes) -> AgentPlan:
        """Raises `InvalidRequest`, `ModelNotFound`."""
        return AgentPlan(self.prepare(head.caller, dict(head.agent_headers), body), self.runs)

    def prepare(self, caller: str, headers: Mapping[str, str], body: bytes) -> AgentRequest:
        """Return what starts a run, for every door: `Runs.start` does it.

        ``headers`` are those of `AdmittedHead.agent_headers`, ``body`` is a request for a chat completion. Raises as
        `route`.
        """
        config = self.config
        request = read_request(body, config.images)
        run = uuid.uuid4().hex
        target = read_target(request.model, headers, request.user, config.agents.names, fresh=run)
        spec = config.agents.specs[target.agent]
        session = _session(target, request)
        tools = config.tools_of(spec, opaque_session(caller, session.text))
        own_names = [tool["function"]["name"] for tool in tools.definitions()]
        check_tool_names(request.tools, own_names)
        order = RunOrder(
            run=run,
            caller=caller,
            agent=spec.id,
            session=session,
            request=request,
            chain_of=self._chain_of(spec, target),
            system=config.prompt_of(spec),
            tools=tools,
            limits=spec.limits,
            seconds=spec.timeout_seconds or _NO_TIMEOUT,
            history=spec.history,
            options=self._thinking(spec),
            trace_id=headers.get(TRACE_HEADER),
            key=_key(headers),
            command=command_of(request.conversation.turns),
            facts_of=lambda session: self._facts(spec, target, session),
            choose=lambda name: _chosen(name, spec, self._models.catalog),
        )
        return self._request(order, spec, headers, body)

    def _request(
        self, order: RunOrder, spec: AgentSpec, headers: Mapping[str, str], body: bytes
    ) -> AgentRequest:
        request, created = order.request, int(self._clock())
        detaches = _detaches(headers, spec)
        resumes = headers.get(LAST_EVENT_HEADER)

        def encoder_of(run: str, created: int) -> EventEncoder:
            return EventEncoder(
                run,
                created,
                request.model,
                stream=request.stream,
                include_usage=request.include_usage,
                resumable=detaches or order.key is not None or resumes is not None,
            )

        async def work(emit: Callable[[RunEvent], None]) -> None:
            services = await self._services()
            await SessionRun(order, services, emit, encoder_of(order.run, created).complete).work()

        return AgentRequest(
            agent=spec.id,
            model=request.model,
            start=RunStart(
                run=order.run,
                caller=order.caller,
                created=created,
                work=work,
                is_detached=detaches,
                key=order.key,
                body_hash=_digest(headers, body) if order.key is not None else "",
            ),
            seconds=order.seconds,
            stream=request.stream,
            encoder_of=lambda live: encoder_of(live.run, live.created),
            session=order.session.text if order.session.is_kept else "",
            ignored=(*request.ignored, *(name for name in _WITHOUT_EFFECT if name in headers)),
            resumes=_resumed(resumes) if resumes is not None else None,
        )

    def _thinking(self, spec: AgentSpec) -> dict[str, str]:
        """Return the agent's own effort, for a model that may know one: of one that is not listed, nothing is known."""
        effort = spec.reasoning_effort
        if effort is None or not spec.chain:
            return {}
        provider = self._models.catalog.providers.get(spec.chain[0].provider)
        listed = [one for one in provider.models if one.id == spec.chain[0].model] if provider else []
        reasons = listed[0].reasoning if listed else effort != "none"
        return {"reasoning_effort": effort} if reasons else {}

    def _facts(self, spec: AgentSpec, target: Target, session: StoredSession | None) -> Facts:
        """Return what the replies to commands say."""
        catalog = self._models.catalog
        chain = spec.chain or (catalog.primary, *catalog.fallbacks) if catalog.primary else spec.chain
        return Facts(
            agent=spec.name,
            default=str(chain[0]) if chain else "(none is configured)",
            chosen=session.model if session is not None else None,
            fallbacks=tuple(map(str, chain[1:])),
            models=tuple(self._listed(spec, catalog)),
            session=target.session.text if target.session.is_kept else None,
            turns=len(session.turns) if session is not None else 0,
            version=__version__,
        )

    def _listed(self, spec: AgentSpec, catalog: Catalog) -> Iterator[ListedModel]:
        """Yield the models that a request may choose, of those that the config lists."""
        availability = Availability(catalog, self._models.expected_error)
        aliases = {ref: alias for alias, ref in catalog.aliases.items()}
        for provider in catalog.providers.values():
            for model in provider.models:
                ref = ModelRef(provider.id, model.id)
                if spec.may_choose(ref, catalog.aliases):
                    error = availability.model_error(ref)
                    yield ListedModel(str(ref), aliases.get(ref, ""), error.message if error else "")

    def _chain_of(self, spec: AgentSpec, target: Target) -> Callable[[str | None], tuple[ModelRef, ...]]:
        """Return what decides on the models of a run, by the model that its session was set to."""
        catalog = self._models.catalog
        override = target.model and _chosen(target.model, spec, catalog)

        def chain_of(of_session: str | None) -> tuple[ModelRef, ...]:
            if override:
                return (override,)
            if of_session:
                return (_chosen(of_session, spec, catalog),)
            return spec.chain or catalog.resolve("").chain

        return chain_of


def _chosen(name: str, spec: AgentSpec, catalog: Catalog) -> ModelRef:
    """Return the model that a request, or its session, chooses. It has no fallbacks: it was named."""
    default = spec.chain[0] if spec.chain else None
    full = model_name(name, default, lambda text: text in catalog.aliases)
    ref = catalog.resolve(full).ref
    if not spec.may_choose(ref, catalog.aliases):
        raise ModelNotFound(
            f"'{ref}' is not among the models that agent '{spec.id}' may use: {', '.join(spec.choices)} "
            "(agents.defaults.modelPolicy.allow)"
        )
    return ref


def _session(target: Target, request: ChatRequest) -> SessionKey:
    """A user interface's own tasks see nothing of the session, and leave nothing in it."""
    if is_side_task(request.conversation.turns):
        return SessionKey(target.session.text, is_kept=False)
    return target.session


def _key(headers: Mapping[str, str]) -> str | None:
    key = headers.get(KEY_HEADER)
    if key is not None and len(key) > _MAX_KEY:
        raise InvalidRequest(f"{KEY_HEADER}: it must have at most {_MAX_KEY} characters", param=KEY_HEADER)
    return key


def _digest(headers: Mapping[str, str], body: bytes) -> str:
    """Return what is the same for the same request alone: the body, and the headers that change its response."""
    counts = sorted(pair for pair in headers.items() if pair[0].startswith(("x-openclaw-", "x-openwebui-")))
    return hashlib.sha256(repr(counts).encode() + b"\n" + body).hexdigest()


def _detaches(headers: Mapping[str, str], spec: AgentSpec) -> bool:
    match headers.get(DISCONNECT_HEADER, "").lower():
        case "":
            return spec.detaches
        case "detach":
            return True
        case "cancel":
            return False
        case _:
            raise InvalidRequest(f"{DISCONNECT_HEADER}: must be cancel or detach", param=DISCONNECT_HEADER)


def _resumed(event_id: str) -> tuple[str, int]:
    parsed = parse_event_id(event_id)
    if parsed is None:
        raise InvalidRequest(
            f"{LAST_EVENT_HEADER}: '{event_id[:80]}' is no id of an event of this gateway; "
            "send the last one of the stream, as it came",
            param=LAST_EVENT_HEADER,
        )
    return parsed
