"""Every object of the file reads OpenClaw's spelling of its keys, and keeps keys that it does not know."""

from __future__ import annotations

from clawgate.settings.schema.openclaw import ModelEntry


def test_keys_are_in_camel_case_and_others_are_kept() -> None:
    read = ModelEntry.model_validate({"id": "m", "contextWindow": 2, "ofOpenclaw": 3})
    assert read.context_window == 2 and read.model_extra == {"ofOpenclaw": 3}
