"""A hook that fails is a reason: no request is sent, and no error of an upstream becomes a success."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from clawgate.errors import InvalidRequest, ProviderUnavailable
from clawgate.plugins.api import Diagnostic, MappedError, PluginConfig, RequestRefused, UpstreamRequest
from clawgate.plugins.host.hooks import check_config, further_dialects, map_error, transform_request
from clawgate.plugins.host.isolation import PluginFailed


class Hooks:
    """A provider whose hooks all return, or raise, the same thing."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def _do(self) -> Any:
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def transform_request(self, request: UpstreamRequest) -> UpstreamRequest:
        return cast(UpstreamRequest, self._do())

    def map_error(self, status: int, body: bytes) -> MappedError | None:
        return cast("MappedError | None", self._do())

    def check_config(self, config: Any, settings: Any) -> list[Diagnostic]:
        return cast("list[Diagnostic]", self._do())


def test_a_request_is_transformed_by_its_provider() -> None:
    request = UpstreamRequest(model="m")
    other = replace(request, model="n")
    assert transform_request("p", Hooks(other), request) is other


@pytest.mark.parametrize("result", [RuntimeError("no"), SystemExit(0), None, "m", UpstreamRequest(model="")])
def test_a_request_whose_hook_fails_is_not_sent(result: Any) -> None:
    with pytest.raises(ProviderUnavailable, match="'p' could not prepare the request, so it was not sent"):
        transform_request("p", Hooks(result), UpstreamRequest(model="m"))


def test_an_error_is_mapped_by_its_provider() -> None:
    mapped = MappedError(status=429, message="slow down", retry_after=3)
    assert map_error("p", Hooks(mapped), 500, b"{}") is mapped
    assert map_error("p", Hooks(None), 500, b"{}") is None


@pytest.mark.parametrize(
    "result", [RuntimeError("no"), SystemExit(0), "429", MappedError(status=200, message="fine")]
)
def test_no_hook_makes_a_success_of_an_error(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert map_error("p", Hooks(result), 500, b"{}") is None
    assert "[plugins] p: map_error failed" in caplog.text


def test_diagnostics_are_those_of_the_provider() -> None:
    found = Diagnostic(path=("models",), message="no")
    assert check_config(Hooks([found, "odd"]), {}, PluginConfig()) == (found,)
    assert check_config(object(), {}, PluginConfig()) == ()


@pytest.mark.parametrize("result", [RuntimeError("no"), SystemExit(0), None])
def test_a_config_check_that_fails_is_a_failure_of_the_plugin(result: Any) -> None:
    with pytest.raises(PluginFailed, match="its check_config failed"):
        check_config(Hooks(result), {}, PluginConfig())


def test_a_request_that_a_plugin_refuses_is_the_clients_error() -> None:
    with pytest.raises(InvalidRequest, match="this profile is not allowed"):
        transform_request(
            "p", Hooks(RequestRefused("this profile is not allowed")), UpstreamRequest(model="m")
        )


class Speaks:
    """A provider that names further dialects, or raises."""

    def __init__(self, found: Any) -> None:
        self._found = found

    @property
    def further_dialects(self) -> Any:
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found


@pytest.mark.parametrize(
    "found", [RuntimeError("no"), "openai-responses", ("openai",), ["openai-responses"], (5,)]
)
def test_a_provider_that_names_no_dialects_has_its_own_alone(
    found: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert further_dialects("p", Speaks(("openai-responses",))) == ("openai-responses",)
    assert further_dialects("p", object()) == () and not caplog.text
    assert further_dialects("p", Speaks(found)) == () and "[plugins] p: " in caplog.text
