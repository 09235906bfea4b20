"""Hands each request for an agent to the door of its path."""

from __future__ import annotations

from clawgate.agents.endpoint.conversations import ConversationAttempt
from clawgate.agents.endpoint.local_plan import LocalPlan
from clawgate.agents.endpoint.plan import AgentAttempt
from clawgate.agents.endpoint.responses_door import ResponsesDoor
from clawgate.agents.endpoint.service import AgentService
from clawgate.agents.endpoint.stored_response import FindDirect
from clawgate.agents.endpoint.token_count import TokenCounter
from clawgate.policy.path_routing import (
    CONVERSATIONS_PATH,
    COUNT_TOKENS_PATH,
    INPUT_TOKENS_PATH,
    RESPONSES_PATH,
)
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan


class AgentRouter:
    """The `Router` of a ``service``; ``find_direct`` is as in `StoredAttempt`."""

    def __init__(self, service: AgentService, find_direct: FindDirect) -> None:
        self._service = service
        self._responses = ResponsesDoor(service, find_direct)
        self._counter = TokenCounter(service, self._responses)

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Raises `InvalidRequest`, `ModelNotFound`. May run in a thread: it touches nothing of the loop's."""
        headers = dict(head.agent_headers)
        if head.path in (COUNT_TOKENS_PATH, INPUT_TOKENS_PATH):
            return self._counter.route(head, headers, body)
        if head.path.startswith(CONVERSATIONS_PATH):
            return LocalPlan(ConversationAttempt(head, headers, body, self._service), "")
        if head.path.startswith(RESPONSES_PATH):
            return self._responses.route(head, headers, body)
        request = self._service.prepare(head.caller, headers, body, head.dialect)
        return LocalPlan(AgentAttempt(request, self._service.runs), request.model)
