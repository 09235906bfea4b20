"""A name finds a built-in, a plugin's, a configured or a new provider; code of a disabled plugin does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate.cli.auth.wizard.builtin_provider import BuiltinProvider
from clawgate.cli.auth.wizard.targets import ProviderTargets, UnknownTarget
from clawgate.settings.schema.openclaw import OpenClawConfig

RAW: dict[str, Any] = {
    "models": {"providers": {"owl": {"baseUrl": "https://owl.test/v1", "api": "openai-completions"}}}
}
MANIFEST = """\
id = "kitten"
name = "Kitten"
version = "1.0"
description = "A provider for tests."
requires_api = 2
module = "kitten:plugin"
registers = ["provider"]
providers = ["kit"]
"""


def targets(folder: Path, **entries: Any) -> ProviderTargets:
    raw = RAW | {"plugins": {"entries": entries}}
    return ProviderTargets(OpenClawConfig.model_validate(raw), raw, folder)


def installed(folder: Path, code: str) -> None:
    plugin = folder / "clawgate" / "plugins" / "kitten"
    plugin.mkdir(parents=True, mode=0o700)
    (plugin / "installed.json").write_text('{"tree": "code", "source": "here"}')
    (plugin / "code").mkdir()
    (plugin / "code" / "clawgate-plugin.toml").write_text(MANIFEST)
    (plugin / "code" / "kitten.py").write_text(code)


def test_what_can_be_chosen(tmp_path: Path) -> None:
    """Those of plugins with what the plugin is for, by its manifest."""
    offers = {offer.id: offer for offer in targets(tmp_path).candidates()}
    assert "remote proxy that requires X-Proxy-Token" in offers["proxy-bridge"].label
    assert list(offers)[:2] == ["openai", "anthropic"] and list(offers)[-1] == "custom"
    assert [offer.id for offer in offers.values() if offer.configured] == ["owl"]


@pytest.mark.parametrize(("name", "id"), [("openai", "openai"), ("owl", "owl"), ("custom", "")])
def test_a_name_leads_to_its_provider(tmp_path: Path, name: str, id: str) -> None:  # noqa: A002  # as it is called
    found = targets(tmp_path).find(name, new=True)
    assert isinstance(found.provider, BuiltinProvider) and (found.provider.id, found.plugin) == (id, None)


@pytest.mark.parametrize(
    ("name", "new", "says"),
    [
        ("owll", True, "unknown provider 'owll'; did you mean 'owl'? (known: openai, anthropic"),
        (
            "openai",
            False,
            "'openai' is not in the config yet; to set it up: clawgate models auth login --provider openai",
        ),
        ("custom", False, "clawgate models auth login --provider custom"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, name: str, new: bool, says: str) -> None:
    with pytest.raises(UnknownTarget) as caught:
        targets(tmp_path).find(name, new=new)
    assert says in str(caught.value)


def test_a_plugin_that_is_not_wanted_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    installed(tmp_path, f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    found = targets(tmp_path)
    assert "kit" in [offer.id for offer in found.candidates()]
    with pytest.raises(UnknownTarget, match="clawgate plugins enable kitten"):
        found.find("kit", new=True)
    assert not mark.exists()


def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    installed(tmp_path, "raise RuntimeError('boom')\n")
    with pytest.raises(UnknownTarget, match=r"the plugin 'kitten' cannot be used: .*boom"):
        targets(tmp_path, kitten={"enabled": True}).find("kit", new=True)
