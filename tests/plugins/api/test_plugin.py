"""The config class, the error and the helper that a plugin derives from or calls."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clawgate.plugins.api.plugin import PluginConfig, PluginError


def test_a_plugins_config_has_keys_as_the_file_has_them_and_no_others() -> None:
    class Config(PluginConfig):
        remote_url: str = "x"

    assert Config.model_validate({"remoteUrl": "y"}).remote_url == "y"
    with pytest.raises(ValidationError):
        Config.model_validate({"remoteUlr": "y"})


def test_a_plugins_error_says_what_to_do() -> None:
    assert (
        str(PluginError("the port is taken", next_step="choose another"))
        == "the port is taken: choose another"
    )
    assert str(PluginError("the port is taken")) == "the port is taken"
