from __future__ import annotations

from clawgate.settings.litellm.counterparts import WHY_NOT, WHY_NOT_INFO, WHY_NOT_PARAM


def test_every_reason_is_a_sentence_of_at_most_two_parts() -> None:
    for reasons in (WHY_NOT_PARAM, WHY_NOT_INFO, *WHY_NOT.values()):
        for key, reason in reasons.items():
            assert reason and reason.count("; ") <= 1 and not reason.endswith("."), key
