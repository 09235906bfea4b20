"""A link of the repository's pages leads to the same page of the site."""

from __future__ import annotations

import pytest

from reference.repository_pages import relinked

PAGES = {
    "errors.md",
    "decisions/0001-uvicorn-as-host.md",
    "repository/SECURITY.md",
    "repository/deploy/README.md",
}


@pytest.mark.parametrize(
    ("page", "link", "within_the_site"),
    [
        ("index.md", "errors.md#codes", "errors.md#codes"),
        ("index.md", "../SECURITY.md", "repository/SECURITY.md"),
        ("decisions/0001-uvicorn-as-host.md", "../errors.md", "../errors.md"),
        ("repository/SECURITY.md", "docs/errors.md", "../errors.md"),
        ("repository/deploy/README.md", "../docs/errors.md", "../../errors.md"),
        ("repository/deploy/README.md", "../SECURITY.md", "../SECURITY.md"),
    ],
)
def test_a_link_to_a_page_leads_there(page: str, link: str, within_the_site: str) -> None:
    assert relinked(f"see [it]({link}).", page, PAGES) == f"see [it]({within_the_site})."


def test_a_link_to_a_file_that_is_no_page_is_text() -> None:
    assert relinked("see [the project](../pyproject.toml)", "index.md", PAGES) == "see the project"


def test_a_link_to_nothing_stays_for_the_strict_build_to_find() -> None:
    assert relinked("see [it](../GONE.md)", "index.md", PAGES) == "see [it](repository/GONE.md)"


@pytest.mark.parametrize(
    "text", ["[a](https://x.example/y)", "![picture](architecture.svg)", "[here](#anchor)"]
)
def test_other_links_stay(text: str) -> None:
    assert relinked(text, "index.md", PAGES) == text
