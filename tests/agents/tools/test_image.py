from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from clawgate.agents.run.step import Completion, Usage
from clawgate.agents.run.tool_uses import ModelUse, collected
from clawgate.agents.tools.image import ImageModels, ImageSettings, ImageTool
from clawgate.agents.tools.sandbox import Sandbox
from clawgate.errors import UpstreamFailed
from clawgate.plugins.api import ToolCall, ToolFailed, ToolResult
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.policy.model_routing import ModelRef
from clawgate.relay.upstream.guarded_fetch import FetchLimits
from tests.agents.tools.pictures import announced, picture
from tests.peers import faults
from tests.peers.script import ReadBody, Send
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import CLOSED, OPEN, RecordingDialer

VISION = ModelRef("up", "vision")


class Looks:
    """A model call that has its completion."""

    served_by = VISION

    def __init__(self, text: str, error: Exception | None = None) -> None:
        self._text = text
        self._error = error

    async def chunks(self) -> AsyncIterator[Any]:
        if self._error is not None:
            raise self._error
        yield {}

    def completion(self) -> Completion:
        return Completion({"role": "assistant", "content": self._text}, "stop", Usage(100, 5))


class Trying:
    def __init__(
        self,
        sandbox: Sandbox,
        workspace: Path = Path("/nowhere"),
        *,
        policy: EgressPolicy = OPEN,
        looks: Looks | None = None,
        chain: Sequence[ModelRef] = (VISION,),
    ) -> None:
        self.calls: list[tuple[Sequence[ModelRef], Any, str]] = []
        limits = FetchLimits(max_bytes=100_000, seconds=5)
        settings = ImageSettings(policy=policy, limits=limits, model_seconds=5, max_side=50)
        looks = looks or Looks("a red field")

        def call(chain: Sequence[ModelRef], fields: Any, agent: str) -> Any:
            self.calls.append((chain, fields, agent))
            return looks

        models = ImageModels(chain_of=lambda agent: chain, workspace_of=lambda agent: workspace, call=call)
        self.tool = ImageTool(settings, RecordingDialer(), sandbox, models)

    async def look(self, image: str, **arguments: Any) -> ToolResult:
        given = {"image": image, **arguments}
        return await self.tool.run(ToolCall(id="c", name="image", arguments=given, agent="main", session="s"))

    def seen(self) -> Image.Image:
        """What the model got."""
        content = self.calls[-1][1]["messages"][0]["content"]
        return Image.open(io.BytesIO(base64.b64decode(content[1]["image_url"]["url"].partition(",")[2])))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    yield made
    await made.close()


def data_url(body: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(body).decode()}"


async def test_a_data_url_is_looked_at_and_its_use_reported(sandbox: Sandbox) -> None:
    trying = Trying(sandbox)
    with collected() as uses:
        result = await trying.look(data_url(picture("PNG", (400, 200))), prompt="which colour?")
    assert "Source: Image\n---\na red field\n<<<END_" in result.text and not result.is_error
    [(chain, fields, agent)] = trying.calls
    assert (chain, agent) == ((VISION,), "main")
    assert fields["messages"][0]["content"][0] == {"type": "text", "text": "which colour?"}
    assert trying.seen().size == (50, 25)
    assert uses == [ModelUse(VISION, Usage(100, 5))]


async def test_a_url_is_fetched_within_the_policy(sandbox: Sandbox) -> None:
    wire = faults.response(picture("JPEG"), content_type="text/plain")  # its content decides
    async with FakeUpstream((ReadBody(), Send(wire))) as site:
        trying = Trying(sandbox)
        assert not (await trying.look(f"{site.url}/a.jpg?b")).is_error
        assert site.requests[0].target == "/a.jpg?b"
        with pytest.raises(ToolFailed, match="was not fetched"):
            await trying.look(site.url, allowPrivateNetwork=False)
        with pytest.raises(ToolFailed, match=r"was not fetched(?s:.*)127\.0\.0\.1"):
            await Trying(sandbox, policy=CLOSED).look(site.url)
        assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"x" * 100_001, 200, "it has more than 100000 bytes"),
        (picture("PNG"), 404, "responded with the error 404"),
        (b"<html>", 200, "it is none of PNG"),
        (b"", 200, "it is none of PNG"),
        (announced(65_000, 65_000), 200, "it has 65000 x 65000 pixels"),
    ],
)
async def test_what_is_fetched_must_be_an_image(
    sandbox: Sandbox, body: bytes, status: int, reason: str
) -> None:
    async with FakeUpstream(
        (ReadBody(), Send(faults.response(body, status, content_type="image/png")))
    ) as site:
        trying = Trying(sandbox)
        with pytest.raises(ToolFailed, match=reason):
            await trying.look(site.url)
        assert trying.calls == []


async def test_a_file_of_the_workspace_is_looked_at_and_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.gif").write_bytes(picture("GIF"))
    (tmp_path / "b.gif").write_bytes(picture("GIF"))
    trying = Trying(sandbox, workspace)
    assert not (await trying.look("a.gif")).is_error
    for place in ("../b.gif", str(tmp_path / "b.gif"), "/etc/passwd", "c.gif"):
        with pytest.raises(ToolFailed, match="the image was not read"):
            await trying.look(place)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/png,abc", "must be in base64"),
        ("data:image/png;base64,***", "is no base64"),
        ("data:image/png;base64,é", "is no base64"),
        (data_url(b"x" * 100_010), "it has more than 100000 bytes"),
        (data_url(b"<html>"), "it is none of PNG"),
        (data_url(announced(65_000, 65_000)), "pixels"),
    ],
)
async def test_a_data_url_must_be_a_small_image(sandbox: Sandbox, url: str, reason: str) -> None:
    with pytest.raises(ToolFailed, match=reason):
        await Trying(sandbox).look(url)


@pytest.mark.parametrize(
    ("looks", "chain", "reason"),
    [
        (Looks(""), (VISION,), "wrote nothing"),
        (Looks("", UpstreamFailed("up/vision reports an error: no images")), (VISION,), "no images"),
        (Looks("text"), (), r"agents\.defaults\.imageModel"),
    ],
)
async def test_what_the_model_does_not_do_is_an_error(
    sandbox: Sandbox, looks: Looks, chain: Sequence[ModelRef], reason: str
) -> None:
    with pytest.raises(ToolFailed, match=reason):
        await Trying(sandbox, looks=looks, chain=chain).look(data_url(picture("PNG")))


async def test_a_long_prompt_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ToolFailed, match="the prompt has more than 4000 characters"):
        await Trying(sandbox).look(data_url(picture("PNG")), prompt="x" * 4001)


def test_the_schema_has_the_private_network_where_it_is_allowed() -> None:
    for policy, has in ((OPEN, True), (CLOSED, False)):
        parameters = Trying(cast(Sandbox, None), policy=policy).tool.registered().parameters
        assert ("allowPrivateNetwork" in parameters) is has
