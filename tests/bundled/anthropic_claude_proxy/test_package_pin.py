"""A command that fetches whatever is the newest is found, and one that does not is left alone."""

from __future__ import annotations

import pytest

from clawgate.bundled.anthropic_claude_proxy.package_pin import unpinned_package


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("bunx opencode-claude-max-proxy", "opencode-claude-max-proxy"),
        ("npx -y claude-max-api-proxy 3456", "claude-max-api-proxy"),
        ("npx claude-max-api-proxy@latest", "claude-max-api-proxy@latest"),
        ("npx @rynfar/meridian", "@rynfar/meridian"),
        ("npx @rynfar/meridian@^1.43.0", "@rynfar/meridian@^1.43.0"),
        ("npx @rynfar/meridian@1", "@rynfar/meridian@1"),
        ("npx --package=@rynfar/meridian meridian", "@rynfar/meridian"),
        ("npx -p @rynfar/meridian meridian", "@rynfar/meridian"),
        ("/usr/bin/npx meridian", "meridian"),
        ("env A=b npx meridian", "meridian"),
        ("bun x meridian", "meridian"),
        ("bun --bun x meridian", "meridian"),
        ("npm exec -- meridian", "meridian"),
        ("pnpm dlx meridian", "meridian"),
        ("yarn dlx meridian", "meridian"),
        ("uvx some-proxy", "some-proxy"),
        ("uv tool run some-proxy", "some-proxy"),
        ("pipx run some-proxy", "some-proxy"),
        ("npx github:someone/proxy", "github:someone/proxy"),
    ],
)
def test_a_package_without_an_exact_version_is_named(command: str, package: str) -> None:
    assert unpinned_package(command.split()) == package


@pytest.mark.parametrize(
    "command",
    [
        "bunx opencode-claude-max-proxy@1.21.1",
        "npx -y @rynfar/meridian@1.43.0",
        "npx -y @rynfar/meridian@1.43.0-beta.1 latest",
        "npx --package @rynfar/meridian@1.43.0 meridian",
        "uvx some-proxy==1.2.3",
        "uvx --from some-proxy==1.2.3 some-proxy",
        "npx --no-install meridian",
        "npx ./proxy",
        "npx github:someone/proxy#0123456789abcdef",
        "bun run start",
        "bun x",
        "npm start",
        "claude-max-api 3456",
        "/opt/proxy/bunx-wrapper x",
        "npx",
        "env",
    ],
)
def test_what_is_pinned_or_local_fetches_nothing_new(command: str) -> None:
    assert unpinned_package(command.split()) is None


def test_no_command_is_no_package() -> None:
    assert unpinned_package([]) is None
