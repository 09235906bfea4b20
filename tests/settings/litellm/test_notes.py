from __future__ import annotations

from clawgate.settings.litellm.notes import Notes
from tests.settings.litellm.yaml_text import SECRET, mapping


def test_equal_notes_are_one_with_their_number_and_the_first_place() -> None:
    notes, source = Notes(), mapping("a: 1\nb: 1\n")
    for index in range(3):
        notes.add(source, ("model_list", index, "b"), "why", "do")
    (found,) = notes.all()
    assert str(found) == "model_list[0].b (config.yaml:2): why (3 times; this is the first); do"


def test_every_unread_key_is_noted_but_one_without_a_value() -> None:
    notes = Notes()
    notes.unread(mapping(f"a: 1\nb: 2\nc:\n{SECRET}: 3\n"), (), {"a"}, {"b": "why; do"})
    found = [str(note) for note in notes.all()]
    assert found[0] == "b (config.yaml:2): why; do" and len(found) == 2
    assert SECRET not in "".join(found)
