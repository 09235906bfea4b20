"""Prompts from the files of a workspace, and prices of model calls."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clawgate.agents.definition.spec import AgentSpec
from clawgate.agents.run.step import Usage
from clawgate.app.agent_config import PriceList, PromptFiles, agent_config, retention
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import build_catalog
from clawgate.providers.provider import Provider
from clawgate.settings.openclaw.config_file import read_config
from clawgate.wire.http.url import Origin


def spec(folder: Path, **more: Any) -> AgentSpec:
    return AgentSpec(id="main", name="main", chain=(), workspace=str(folder), **more)


def write(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_workspace_without_files_has_no_prompt(tmp_path: Path) -> None:
    assert PromptFiles().prompt_of(spec(tmp_path / "nowhere")) == ""


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    prompts = PromptFiles()
    write(tmp_path / "AGENTS.md", "one", 1000)
    assert "one" in prompts.prompt_of(spec(tmp_path))
    write(tmp_path / "AGENTS.md", "two", 2000)
    assert "two" in prompts.prompt_of(spec(tmp_path))


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would block the gateway until something writes into it."""
    os.mkfifo(tmp_path / "AGENTS.md")
    assert PromptFiles().prompt_of(spec(tmp_path)) == ""


def test_a_link_out_of_the_workspace_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A tool that writes there could make any file of this machine a prompt; the log says what to do, once."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    write(tmp_path / "secret", "canary", 1000)
    (workspace / "AGENTS.md").symlink_to(tmp_path / "secret")
    prompts = PromptFiles()
    assert [prompts.prompt_of(spec(workspace)) for _ in range(2)] == ["", ""]
    assert [
        record.message.endswith("a link out of the workspace; copy the file") for record in caplog.records
    ] == [True]
    (workspace / "AGENTS.md").unlink()
    write(workspace / "own", "mine", 1000)
    (workspace / "AGENTS.md").symlink_to("own")
    assert "mine" in prompts.prompt_of(spec(workspace))


def test_a_prompt_of_the_config_needs_no_file(tmp_path: Path) -> None:
    write(tmp_path / "AGENTS.md", "one", 1000)
    assert PromptFiles().prompt_of(spec(tmp_path, system_prompt="two")) == "two"


def prices(provider: Provider) -> PriceList:
    catalog = SimpleNamespace(providers={provider.id: provider})
    return PriceList(cast(Any, SimpleNamespace(catalog=catalog)))


@pytest.mark.parametrize(
    ("origin", "built_in", "known"),
    [
        (Origin("https", "api.openai.com", 443), True, True),
        (Origin("https", "api.openai.com", 443), False, True),
        (Origin("http", "127.0.0.1", 8000), False, False),
    ],
    ids=["the vendor", "the vendor by its address", "a server of one's own"],
)
def test_the_price_is_the_vendors_or_not_known(origin: Origin, built_in: bool, known: bool) -> None:
    provider = Provider(id="openai", api="openai-completions", origin=origin, path="/v1", built_in=built_in)
    cost = prices(provider).cost_of(ModelRef("openai", "gpt-4o"), Usage(1000, 1000))
    assert (cost is not None and cost > Decimal(0)) is known


def test_of_a_model_that_is_not_known_there_is_no_price() -> None:
    provider = Provider(id="openai", api="openai-completions", origin=None)
    assert prices(provider).cost_of(None, Usage(1)) is None
    assert prices(provider).cost_of(ModelRef("gone", "m"), Usage(1)) is None


def test_what_is_kept_of_sessions_is_by_the_config(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text(
        "{plugins: {entries: {clawgate: {config: {sessions: {maxAgeDays: 2, maxMegabytes: 3}}}}}}"
    )
    path.chmod(0o600)
    keep = retention(read_config(path, {}, required=True))
    assert (keep.session_age, keep.session_bytes, keep.session_turns) == (172_800, 3_000_000, 2000)
    assert (keep.sessions_per_caller, keep.usage_age) == (10_000, 400 * 86_400)


def test_what_is_wrong_with_the_rules_of_tools_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "my.json"
    path.touch(0o600)
    rules = {"deny": ["no_such_tool"], "byProvider": {"p": {"deny": ["exec"]}}}
    path.write_text(json.dumps({"tools": rules}))
    file = read_config(path, {"HOME": str(tmp_path)}, required=True)
    agent_config(file, build_catalog(file.config, file.unset, file.environment), tmp_path, list)
    logged = [record.getMessage() for record in caplog.records]
    assert any("tools.deny" in one and "no_such_tool" in one for one in logged)
    assert any("tools.byProvider" in one for one in logged)
