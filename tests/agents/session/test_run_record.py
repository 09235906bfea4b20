"""What is stored of a run's parts."""

from __future__ import annotations

from decimal import Decimal

from clawgate.agents.run.driver import ToolOutcome
from clawgate.agents.run.step import Call, Usage
from clawgate.agents.run.tool_uses import ModelUse
from clawgate.agents.session.run_record import called, last_model, returned, used
from clawgate.policy.model_routing import ModelRef

CALL = Call("c", "look", '{"a":1}')


def test_a_model_call_has_its_tokens_and_its_price() -> None:
    made = used(ModelUse(ModelRef("up", "m"), Usage(1, 2, 3, cost=Decimal("0.5"))))
    assert (made.provider, made.model, made.input_tokens, made.output_tokens) == ("up", "m", 1, 2)
    assert (made.cached_tokens, made.cost) == (3, Decimal("0.5"))


def test_a_model_that_is_not_known_has_no_name() -> None:
    assert used(ModelUse(None, Usage(cost=None))).provider == ""
    assert last_model([ModelUse(None, Usage())]) == last_model([]) == {"provider": None, "model": None}


def test_the_last_model_is_the_runs() -> None:
    uses = [ModelUse(ModelRef("up", "a"), Usage()), ModelUse(ModelRef("up", "b"), Usage())]
    assert last_model(uses) == {"provider": "up", "model": "b"}


def test_a_call_of_a_tool_says_whether_it_failed() -> None:
    assert [called(CALL, ToolOutcome("r", failed=failed), 1.0, 0.5).status for failed in (True, False)] == [
        "error",
        "ok",
    ]


def test_a_call_of_the_clients_tool_has_no_result_yet() -> None:
    made = returned(CALL, 7.0)
    assert (made.status, made.result, made.arguments) == ("client", "", '{"a":1}')
