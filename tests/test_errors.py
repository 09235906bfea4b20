"""Errors are distinguished by cause: one class for each decision, one stable code for each class."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from clawgate import errors
from clawgate.errors import GatewayError, MethodNotAllowed, ModelNotFound, UpstreamTimedOut
from tests.error_classes import all_errors

CLASSES = list(all_errors())


def make(kind: type[GatewayError], message: str = "where: what; fix") -> GatewayError:
    """Make an error of any class."""
    if issubclass(kind, MethodNotAllowed):
        return kind(message, allow=("GET", "HEAD"))
    if issubclass(kind, UpstreamTimedOut):
        return kind(message, limit="idle", seconds=300.0)
    return kind(message)


def test_all_errors_finds_every_class_of_the_module_but_the_root() -> None:
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert sorted(["GatewayError", *(kind.__name__ for kind in CLASSES)]) == sorted(defined)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_the_code_is_the_snake_case_of_the_class_name(kind: type[GatewayError]) -> None:
    """Also: no class inherits its code, which would make two causes one for every program that reads them."""
    assert vars(kind)["code"] == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_an_error_has_the_message_it_was_given(kind: type[GatewayError]) -> None:
    error = make(kind, "the fix")
    assert error.message == str(error) == "the fix"
    assert error.retry_after is None
    assert error.param == ("model" if kind is ModelNotFound else None)


def test_what_the_special_ones_carry() -> None:
    timed_out = UpstreamTimedOut("m", limit="connect", seconds=10, retry_after=5)
    assert (timed_out.limit, timed_out.seconds, timed_out.retry_after) == ("connect", 10, 5)
    assert MethodNotAllowed("m", allow=("GET",)).allow == ("GET",)
    assert errors.RateLimitExceeded("m", retry_after=7).retry_after == 7
    assert errors.InvalidRequest("m", param="stream").param == "stream"


@pytest.mark.parametrize(
    ("parent", "children"),
    [
        (errors.InvalidRequest, ["MalformedRequest", "BodyTooLarge", "ModelNotFound", "UnknownRoute", "LoopDetected"]),
        (errors.PolicyDenied, ["HostNotAllowed", "OriginNotAllowed", "EgressDenied"]),
        (errors.InvalidToken, ["MissingToken"]),
        (errors.RateLimitExceeded, ["AuthLocked", "ConcurrencyLimitExceeded"]),
        (errors.GatewayUnavailable, ["Overloaded"]),
        (errors.UpstreamFailed, ["UpstreamUnreachable", "UpstreamClosed", "UpstreamTimedOut", "GatewayStopping"]),
    ],
)  # fmt: skip
def test_a_caller_may_catch_the_decision_instead_of_the_cause(
    parent: type[GatewayError], children: list[str]
) -> None:
    assert all(issubclass(getattr(errors, name), parent) for name in children)


def test_the_causes_know_no_status() -> None:
    """HTTP stands in one table, and it is not here."""
    source = Path(errors.__file__).read_text(encoding="utf-8")
    assert not re.search(r"\b[1-5]\d\d\b", re.sub(r'""".*?"""', "", source, flags=re.DOTALL))
