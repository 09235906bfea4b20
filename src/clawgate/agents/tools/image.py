"""The tool image: has a model look at an image from the web, from a data URL, or of the agent's workspace.

Law: nothing is decoded outside of the sandbox; what the model gets is smaller than the operator's limit and has no
metadata. Where it may fetch from is decided by the rules of web_fetch.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawgate.agents.run.model_call import ModelCall
from clawgate.agents.run.step import Completion, Message
from clawgate.agents.run.tool_uses import ModelUse, report
from clawgate.agents.tools.external_content import wrapped
from clawgate.agents.tools.sandbox import WALL_SECONDS, JobStopped, Sandbox
from clawgate.agents.tools.web_fetch import private_parameter, wanted_policy
from clawgate.agents.tools.workspace_file import read_workspace_file
from clawgate.errors import GatewayError
from clawgate.plugins.api import Tool, ToolCall, ToolFailed, ToolResult
from clawgate.plugins.host.tools import RegisteredTool, register_tool
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.policy.model_routing import ModelRef
from clawgate.relay.response.head import FAILED
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.guarded_fetch import FetchLimits, fetch_url
from clawgate.settings.openclaw.web_tools import IMAGE
from clawgate.wire.translate import data_url

_LONGEST_PROMPT = 4000
_PROMPT = "Describe this image."
_DESCRIPTION = (
    "Have a model look at an image, for what a prompt wants to know. The image is an http or https URL, a data URL, "
    "or the path of a file in the workspace."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What the operator set. ``limits`` are those of fetching; ``model_seconds`` is what the model may take."""

    policy: EgressPolicy
    limits: FetchLimits
    model_seconds: float
    max_side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModels:
    """Who looks at the images of an agent, by its id; ``workspace_of`` is where its files are."""

    chain_of: Callable[[str], Sequence[ModelRef]]
    workspace_of: Callable[[str], Path]
    call: Callable[[Sequence[ModelRef], Message, str], ModelCall]


class ImageTool:
    def __init__(
        self, settings: ImageSettings, dialer: Dialer, sandbox: Sandbox, models: ImageModels
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._sandbox = sandbox
        self._models = models

    def registered(self) -> RegisteredTool:
        settings = self._settings
        properties = {
            "image": {"type": "string", "description": "A URL, a data URL, or a path in the workspace."},
            "prompt": {"type": "string", "description": f"What to look for. Default: {_PROMPT}"},
            **private_parameter(settings.policy),
        }
        tool = Tool(
            name=IMAGE,
            description=_DESCRIPTION,
            parameters={
                "type": "object",
                "properties": properties,
                "required": ["image"],
                "additionalProperties": False,
            },
            run=self.run,
            timeout=settings.limits.seconds + self.describe_seconds + 5,
        )
        return register_tool("", tool)

    async def run(self, call: ToolCall) -> ToolResult:
        """Raises `ToolFailed`."""
        place, prompt = call.arguments["image"].strip(), call.arguments.get("prompt", "").strip() or _PROMPT
        if len(prompt) > _LONGEST_PROMPT:
            raise ToolFailed(f"the prompt has more than {_LONGEST_PROMPT} characters")
        self._sandbox.start()
        return ToolResult(await self._described(await self._body(place, call), prompt, call.agent))

    async def describe(self, body: bytes, prompt: str, agent: str) -> str:
        """Return what a model sees on an image that another tool of ``agent`` returned. Raises `ToolFailed`."""
        if len(body) > self._settings.limits.max_bytes:
            raise ToolFailed(
                f"the image was not read: it has more than {self._settings.limits.max_bytes} bytes"
            )
        return await self._described(body, prompt, agent)

    @property
    def describe_seconds(self) -> float:
        """What `describe` takes at most."""
        return WALL_SECONDS + self._settings.model_seconds

    async def _described(self, body: bytes, prompt: str, agent: str) -> str:
        image = await self._smaller(body)
        completion = await self._look(agent, prompt, image)
        if not completion.text:
            raise ToolFailed("the model that looked at the image wrote nothing; try another prompt")
        return wrapped(completion.text, "Image", secrets.token_hex(8))

    async def _body(self, place: str, call: ToolCall) -> bytes:
        most = self._settings.limits.max_bytes
        if place[:5].lower() == "data:":
            return _decoded(place, most)
        if place[:7].lower() in ("http://", "https:/"):
            return await self._fetched(place, wanted_policy(self._settings.policy, call.arguments))
        try:
            workspace = self._models.workspace_of(call.agent)
            return await asyncio.to_thread(read_workspace_file, workspace, place, most)
        except ValueError as error:
            raise ToolFailed(f"the image was not read: {error}") from None

    async def _fetched(self, url: str, policy: EgressPolicy) -> bytes:
        limits = self._settings.limits
        try:
            found = await fetch_url(self._dialer, url, policy, limits, {"accept": "image/*"})
        except GatewayError as error:
            reason = wrapped(
                error.message, "Image", secrets.token_hex(8)
            )  # a server may have chosen its words
            raise ToolFailed(f"the image was not fetched\n\n{reason}") from None
        if found.status >= FAILED:
            raise ToolFailed(f"the image was not fetched: the server responded with the error {found.status}")
        if found.truncated:
            raise ToolFailed(f"the image was not read: it has more than {limits.max_bytes} bytes")
        return found.body

    async def _smaller(self, body: bytes) -> str:
        """Return a data URL of what the model gets."""
        try:
            result = await self._sandbox.run({"kind": "image", "max_side": self._settings.max_side}, body)
        except JobStopped as error:
            raise ToolFailed(f"the image was not read: {error}") from None
        line, _, image = result.partition(b"\n")
        made: dict[str, Any] = json.loads(line)
        if "error" in made:
            raise ToolFailed(f"the image was not read: {made['error']}")
        return data_url.build(made["type"], base64.b64encode(image).decode("ascii"))

    async def _look(self, agent: str, prompt: str, image: str) -> Completion:
        chain = self._models.chain_of(agent)
        if not chain:
            raise ToolFailed(
                "agents.defaults.imageModel: a name is neither provider/model nor an alias; write it in full"
            )
        content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": image}}]
        try:
            async with asyncio.timeout(self._settings.model_seconds):
                started = self._models.call(
                    chain, {"messages": [{"role": "user", "content": content}]}, agent
                )
                async for _ in started.chunks():
                    pass
                completion = started.completion()
        except TimeoutError:
            raise ToolFailed(
                f"the model did not look at the image within {self._settings.model_seconds:g} s"
            ) from None
        except GatewayError as error:
            raise ToolFailed(f"the model did not look at the image: {error.message}") from None
        report(ModelUse(started.served_by, completion.usage))
        return completion


def _decoded(url: str, most: int) -> bytes:
    parsed = data_url.parse(url)
    if parsed is None:
        raise ToolFailed("the data URL must be in base64")
    if len(parsed[1]) > most * 4 // 3 + 4:
        raise ToolFailed(f"the image was not read: it has more than {most} bytes")
    try:
        return binascii.a2b_base64(parsed[1], strict_mode=True)
    except ValueError:
        raise ToolFailed("the data URL is no base64") from None
