"""What the tests of all roles' settings share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from clawgate.settings.roles.relay import RelaySettings

OTHER = "Vx4-other-8Rt2_mN6q"


def problems(model: type[BaseModel], values: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return [(".".join(map(str, d["loc"])), d["msg"]) for d in caught.value.errors(include_url=False)]


def check_safe_defaults(settings: RelaySettings) -> None:
    assert list(settings.allow_origin) == list(settings.allow_host) == []
    assert settings.upstream_proxy is None and not settings.exit_on_stdin_eof
    limits = [
        settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout, settings.total_timeout,
    ]  # fmt: skip
    assert limits == [10, 600, 300, 3600]
    assert (settings.max_body_mb, settings.drain_timeout) == (20, 30)
    assert (settings.max_upstream_connections, settings.upstream_wait_timeout) == (1000, 10)
