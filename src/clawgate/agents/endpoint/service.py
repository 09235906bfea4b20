"""Reads each request for an agent, and decides everything about its run before it starts.

Implements `Router`. May run in a thread: it reads, and touches nothing of the loop's. What a request may choose, and
what the config decides, is in one place here: agent, session, model, prompt, tools, limits, and what a disconnect does.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from clawgate import __version__
from clawgate.agents.definition.spec import Agents, AgentSpec
from clawgate.agents.definition.toolset import opaque_session
from clawgate.agents.endpoint.doors import ReadRequest, read_chat, read_messages
from clawgate.agents.endpoint.event_encoder import parse_event_id
from clawgate.agents.endpoint.plan import AgentRequest
from clawgate.agents.endpoint.responses_request import PREVIOUS, ResponseTerms, listed_items
from clawgate.agents.endpoint.translated_encoder import ResponsesEncoder
from clawgate.agents.request.chat_request import ChatRequest, check_tool_names
from clawgate.agents.request.images import ImageRules
from clawgate.agents.request.refusal import reject
from clawgate.agents.request.side_tasks import is_side_task
from clawgate.agents.request.slash_commands import Facts, ListedModel, command_of
from clawgate.agents.request.target import (
    CONVERSATION,
    MODEL_HEADER,
    SESSION_HEADER,
    SessionKey,
    Target,
    model_name,
    read_target,
)
from clawgate.agents.run.events import RunEvent
from clawgate.agents.session.run_order import Approve, Past, ResponseOrder, RunOrder, RunServices, Tools
from clawgate.agents.session.runs import Runs, RunStart
from clawgate.agents.session.session_run import SessionRun
from clawgate.errors import GatewayError, InvalidRequest, ModelNotFound
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import Availability
from clawgate.providers.catalog import Catalog
from clawgate.routing.router import ModelRouter
from clawgate.state.records import StoredSession
from clawgate.wire.dialect import Dialect

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """The response that a request continues: ``parent`` is its run, ``session`` the one that ends with it."""

    parent: str
    agent: str
    past: Past
    session: str | None

    def target(self, named: Target, headers: Mapping[str, str]) -> Target:
        """Return the target of the request, whose agent and headers are ``named``. Raises `InvalidRequest`."""
        if named.agent != self.agent:
            maker = f"agent '{self.agent}'" if self.agent else "a model"
            reject(PREVIOUS, f"`{PREVIOUS}` is of {maker}, and the request is for '{named.agent}'.")
        if headers.get(SESSION_HEADER) and named.session.text != self.session:
            reject(
                SESSION_HEADER,
                f"`{SESSION_HEADER}` names a session that does not end with the response of `{PREVIOUS}`; "
                "send one of them.",
            )
        if self.session is None:
            return replace(named, session=replace(named.session, is_kept=False))
        return replace(named, session=SessionKey(self.session))


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
        self.services = services
        self._clock = clock
        self.config: AgentConfig
        """Set before the first request, and again with each change of the config."""

    def prepare(
        self,
        caller: str,
        headers: Mapping[str, str],
        body: bytes,
        dialect: Dialect = Dialect.CHAT,
        approve: Approve | None = None,
    ) -> AgentRequest:
        """Return what starts a run, for every door: `Runs.start` does it.

        ``headers`` are those of `AdmittedHead.agent_headers`, ``body`` is a request in ``dialect``. Raises as `route`.
        """
        reader = read_messages if dialect is Dialect.MESSAGES else read_chat
        read = reader(body, self.config.images)
        return self.prepare_read(caller, headers, body, read, approve=approve)

    def prepare_read(
        self,
        caller: str,
        headers: Mapping[str, str],
        body: bytes,
        read: ReadRequest,
        terms: ResponseTerms | None = None,
        continued: Continued | None = None,
        approve: Approve | None = None,
    ) -> AgentRequest:
        """Do the same for a request that was read; ``continued`` is what a response continues."""
        config, request, run = self.config, read.request, uuid.uuid4().hex
        user, conversation = ("", "") if continued else (request.user, terms.conversation if terms else "")
        target = read_target(
            request.model, headers, user, config.agents.names, fresh=run, conversation=conversation
        )
        spec = config.agents.specs[target.agent]
        if continued is not None:
            target = continued.target(target, headers)
        if terms is not None and terms.conversation_agent not in ("", target.agent):
            reject(
                CONVERSATION,
                f"`{CONVERSATION}` is of agent '{terms.conversation_agent}', and the request is for '{target.agent}'.",
            )
        if read.hints and not self._reasons(spec, of_unknown=False):
            read = read.without_hints()
            request = read.request
        session = _session(target, request)
        tools = config.tools_of(spec, opaque_session(caller, session.text))
        own_names = [tool["function"]["name"] for tool in tools.definitions()]
        check_tool_names(
            request.tools, own_names, "function.name" if read.dialect is Dialect.CHAT else "name"
        )
        response = self._response(run, read, terms, continued) if terms is not None and terms.stores else None
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
            past=continued.past if continued is not None else None,
            response=response,
            command=command_of(request.conversation.turns),
            facts_of=partial(self._facts, spec, target),
            choose=lambda name: _chosen(name, spec, self._models.catalog),
            approve=approve,
        )
        return self._request(order, read, spec, headers, body)

    def choose(self, agent: str, name: str) -> ModelRef:
        """Return the model that ``name`` means to an agent. Raises `ModelNotFound` for one that it may not use."""
        return _chosen(name, self.config.agents.specs[agent], self._models.catalog)

    def _request(
        self,
        order: RunOrder,
        read: ReadRequest,
        spec: AgentSpec,
        headers: Mapping[str, str],
        body: bytes,
    ) -> AgentRequest:
        request, created = order.request, int(self._clock())
        session = order.session.text if order.session.is_kept else ""
        background = order.response is not None and order.response.is_background
        detaches = _detaches(headers, spec, is_background=background)
        resumes = headers.get(LAST_EVENT_HEADER)
        encoder_of = partial(read.encoder, resumable=detaches or order.key is not None or resumes is not None)

        async def work(emit: Callable[[RunEvent], None]) -> None:
            services = await self.services()
            await SessionRun(order, services, emit, encoder_of(order.run, created).complete).work()

        return AgentRequest(
            dialect=read.dialect,
            agent=spec.id,
            model=request.model,
            start=RunStart(
                run=order.run,
                caller=order.caller,
                created=created,
                work=work,
                agent=spec.id,
                session=session,
                is_detached=detaches,
                key=order.key,
                body_hash=_digest(read.dialect, headers, body) if order.key is not None else "",
                encoder=partial(encoder_of, order.run, created) if background else None,
                encoder_size=len(body) if background else 0,
                response=order.response.queued if order.response is not None else None,
            ),
            seconds=order.seconds,
            stream=request.stream,
            background=background,
            encoder_of=lambda live: encoder_of(live.run, live.created),
            session=session,
            ignored=(*request.ignored, *(name for name in _WITHOUT_EFFECT if name in headers)),
            resumes=_resumed(resumes) if resumes is not None else None,
        )

    def _response(
        self, run: str, read: ReadRequest, terms: ResponseTerms, continued: Continued | None
    ) -> ResponseOrder:
        created = int(self._clock())

        def body_of(events: Sequence[RunEvent], error: GatewayError | None) -> dict[str, Any]:
            encoder = read.encoder(run, created, resumable=False)
            assert isinstance(encoder, ResponsesEncoder), "only a Responses request is stored"
            return encoder.response(events, error)

        return ResponseOrder(
            parent=continued.parent if continued is not None else None,
            input=listed_items(terms.items, run),
            body_of=body_of,
            is_background=terms.background,
        )

    def _thinking(self, spec: AgentSpec) -> dict[str, str]:
        """Return the agent's own effort, for a model that may know one."""
        effort = spec.reasoning_effort
        if effort is None or not self._reasons(spec, of_unknown=effort != "none"):
            return {}
        return {"reasoning_effort": effort}

    def _reasons(self, spec: AgentSpec, *, of_unknown: bool) -> bool:
        """Whether the agent's model takes an effort; ``of_unknown`` is returned for one that is not listed."""
        if not spec.chain:
            return False
        provider = self._models.catalog.providers.get(spec.chain[0].provider)
        listed = [one for one in provider.models if one.id == spec.chain[0].model] if provider else []
        return listed[0].reasoning if listed else of_unknown

    def _facts(self, spec: AgentSpec, target: Target, session: StoredSession | None, turns: int) -> Facts:
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
            turns=turns,
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
        override = target.model and _of_header(target.model, spec, catalog)

        def chain_of(of_session: str | None) -> tuple[ModelRef, ...]:
            if override:
                return (override,)
            if of_session:
                return (_chosen(of_session, spec, catalog),)
            return spec.chain or catalog.resolve("").chain

        return chain_of


def _of_header(name: str, spec: AgentSpec, catalog: Catalog) -> ModelRef:
    """Return the model of the header. A bare name that is none is a mistake of the header, like one of an agent."""
    try:
        return _chosen(name, spec, catalog)
    except ModelNotFound as error:
        if "/" in name:
            raise
        raise InvalidRequest(error.message, param=MODEL_HEADER) from None


def _chosen(name: str, spec: AgentSpec, catalog: Catalog) -> ModelRef:
    """Return the model that a request, or its session, chooses. It has no fallbacks: it was named."""
    default = spec.chain[0] if spec.chain else None
    full = model_name(name, default, catalog.aliases, catalog.listed())
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


def _digest(dialect: Dialect, headers: Mapping[str, str], body: bytes) -> str:
    """Return what is the same for the same request alone: the body, and the headers that change its response."""
    counts = sorted(pair for pair in headers.items() if pair[0].startswith(("x-openclaw-", "x-openwebui-")))
    if dialect is not Dialect.CHAT:
        counts.append(("dialect", dialect.value))
    return hashlib.sha256(repr(counts).encode() + b"\n" + body).hexdigest()


def _detaches(headers: Mapping[str, str], spec: AgentSpec, *, is_background: bool = False) -> bool:
    if is_background:
        if headers.get(DISCONNECT_HEADER, "").lower() == "cancel":
            raise InvalidRequest(
                f"'background' is for a run that continues without its client, and {DISCONNECT_HEADER} is cancel; "
                "send one of them",
                param="background",
            )
        return True
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
