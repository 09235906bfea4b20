"""A change is shown as a diff in which no secret stands: not what is new, not what goes, not what is near."""

from __future__ import annotations

import pytest

from clawgate.cli.auth.wizard.config_diff import config_diff

BEFORE = """\
{
  // mine
  gateway: { auth: { token: "canary-gateway-token" } },
  models: { providers: {
    owl: { apiKey: "canary-owl-key-1", baseUrl: "https://owl.test" },
  } },
}
"""


def shown(after: str, before: str = BEFORE, known: tuple[str, ...] = ()) -> list[str]:
    return list(config_diff("openclaw.json", before, after, known))


def test_a_change_is_shown_with_its_surroundings() -> None:
    assert shown(BEFORE.replace("owl.test", "hut.test")) == [
        "--- openclaw.json",
        "+++ openclaw.json (new)",
        "@@ -3,5 +3,5 @@",
        '   gateway: { auth: { token: "c...n" } },',
        "   models: { providers: {",
        '-    owl: { apiKey: "c...1", baseUrl: "https://owl.test" },',
        '+    owl: { apiKey: "c...1", baseUrl: "https://hut.test" },',
        "   } },",
        " }",
    ]


def test_a_new_secret_is_called_new() -> None:
    """Or the diff would say nothing where two masks look the same."""
    lines = shown(BEFORE.replace("canary-owl-key-1", "canary-hut-key-1"))
    assert '+    owl: { apiKey: "c...1 (new)", baseUrl: "https://owl.test" },' in lines
    assert "canary" not in "".join(lines)


def test_a_reference_is_shown() -> None:
    assert any("${OWL_KEY}" in line for line in shown(BEFORE.replace("canary-owl-key-1", "${OWL_KEY}")))


@pytest.mark.parametrize(
    "comment",
    [
        "// was canary-owl-key-1",
        "// sk-canary0123456789abcdef",
        "// https://u:canary@host/",
        "/* new: canary-new */",
    ],
)
def test_comments_hide_secrets_too(comment: str) -> None:
    before = BEFORE.replace("// mine", comment)
    lines = shown(before.replace("gateway:", '"gateway":'), before, ("canary-new",))
    assert "canary" not in "".join(lines) and len(lines) > 4


def test_nothing_is_printed_that_a_terminal_would_obey() -> None:
    lines = shown(BEFORE.replace("// mine", "// \x1b[2J\t\x07"))
    assert "+  // \\x1b[2J    \\x07" in lines


def test_no_change_has_no_diff() -> None:
    assert shown(BEFORE) == []


def test_a_text_that_cannot_be_read_is_compared_as_it_is() -> None:
    assert "+{ a: 2" in shown("{ a: 2", "{ a: 1")


def test_a_short_secret_is_masked_in_its_place() -> None:
    """Elsewhere it is a word like others."""
    lines = shown(BEFORE.replace("canary-owl-key-1", "mine5").replace("// mine", "// mine5"))
    assert "+  // mine5" in lines and any('apiKey: "... (new)"' in line for line in lines)
