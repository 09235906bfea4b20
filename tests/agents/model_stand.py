"""A model for runs: a scripted upstream behind the gateway's own router, in this process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from clawgate.agents.run.inner_client import InnerExchanges
from clawgate.agents.run.model_call import ModelCaller
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.credential import bearer
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.routing.router import ModelRouter
from clawgate.wire.http.url import parse_url
from tests.peers.faults import sse_response
from tests.peers.upstream import FakeUpstream, ScriptChoice
from tests.relay.fakes import Relay
from tests.relay.recording_dialer import OPEN
from tests.routing.no_hooks import NoHooks

MODEL = ModelRef("up", "m")
OTHER = ModelRef("other", "m")


def chunk_of(delta: dict[str, Any] | None = None, reason: str | None = None, **more: Any) -> bytes:
    """An event of a stream of chat completions."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": reason}]
    return b"data: " + json.dumps({"id": "c1", "choices": choices, **more}).encode() + b"\n\n"


def usage_of(prompt: int, completion: int, cached: int = 0) -> bytes:
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return b"data: " + json.dumps({"id": "c1", "choices": [], "usage": usage}).encode() + b"\n\n"


def call_of(name: str, arguments: str = "{}", *, index: int = 0, id: str = "") -> bytes:  # noqa: A002
    function = {"name": name, "arguments": arguments}
    piece = {"index": index, "id": id or f"call-{name}-{index}", "type": "function", "function": function}
    return chunk_of({"tool_calls": [piece]})


DONE = b"data: [DONE]\n\n"
SIGNED = {"google": {"thought_signature": "SIG=="}}
SIGNED_CALL = sse_response(
    [
        chunk_of(
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "c1",
                        "type": "function",
                        "extra_content": SIGNED,
                        "function": {"name": "look", "arguments": "{}"},
                    }
                ]
            }
        ),
        chunk_of(reason="tool_calls"),
        DONE,
    ]
)
"""A model that calls a tool of the client and signs the call, as Gemini does."""


@dataclass(slots=True)
class ModelStand:
    caller: ModelCaller
    exchanges: InnerExchanges
    relay: Relay
    upstream: FakeUpstream

    @property
    def bodies(self) -> list[Any]:
        """What the model was sent."""
        return [json.loads(request.body) for request in self.upstream.requests]


def _connect(provider: Provider) -> Upstream:
    assert provider.origin is not None
    config = UpstreamConfig(
        name=provider.id,
        endpoint=UpstreamEndpoint(origin=provider.origin, policy=OPEN),
        prefix=provider.path,
        replaces="/v1",
        credential=provider.credential,
    )
    return Upstream(config, Dialer(), via=b"clawgate-me")


def provider_at(url: str, name: str) -> Provider:
    origin, _ = parse_url(url)
    return Provider(
        id=name,
        api="openai-completions",
        origin=origin,
        path="/v1",
        credential=bearer(f"pk-{name}-SECRET-7Hq2vXn4"),
        allow_private=True,
    )


@contextlib.asynccontextmanager
async def models(*scripts: ScriptChoice) -> AsyncIterator[ModelStand]:
    """Two providers, `up` and `other`, at one scripted upstream."""
    async with FakeUpstream(*scripts) as upstream:
        router = ModelRouter(_connect, lambda: 1_700_000_000.0, NoHooks())
        providers = {name: provider_at(upstream.url, name) for name in ("up", "other")}
        router.use(Catalog(providers, {}, MODEL, ()))
        relay = Relay()
        exchanges = InnerExchanges(lambda: relay.context)
        yield ModelStand(ModelCaller(router, exchanges), exchanges, relay, upstream)
        for one in router.upstreams:
            one.pool.close()
