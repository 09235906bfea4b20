"""The models that a field may hold are found through every container and union."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, SecretStr

from clawgate.settings.schema.walk import holds_secret, models_in


class One(BaseModel):
    pass


class Two(BaseModel):
    pass


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (One, [((), One)]),
        (One | None, [((), One)]),
        (Annotated[One, BeforeValidator(str)], [((), One)]),
        (dict[str, One], [((dict,), One)]),
        (tuple[One, ...], [((list,), One)]),
        (list[dict[str, One | Two]], [((list, dict), One), ((list, dict), Two)]),
        (dict[str, Any], []),
        (str, []),
        (None, []),
    ],
)
def test_models_come_with_the_containers_around_them(annotation: object, found: list[Any]) -> None:
    assert list(models_in(annotation)) == found


@pytest.mark.parametrize("annotation", [SecretStr, SecretStr | None, dict[str, Annotated[SecretStr, 1]]])
def test_a_secret_is_found_through_containers(annotation: object) -> None:
    assert holds_secret(annotation)


@pytest.mark.parametrize("annotation", [str, One, dict[str, int], None])
def test_other_fields_hold_no_secret(annotation: object) -> None:
    assert not holds_secret(annotation)
