"""The layout is a promise: where a module is, its tests are, and its name says what it does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "clawgate"
ROOTS = {"": PACKAGE, "demo/": ROOT / "demo"}
"""What is measured, by the beginning of its modules' names: the package itself, and the demo beside it."""
MODULES = sorted(
    prefix + path.relative_to(root).as_posix()
    for prefix, root in ROOTS.items()
    for path in root.rglob("*.py")
)

MAX_LINES = 400
"""Of a module. Most have about 200; the largest files of httpcore and of uvicorn have 600."""
MAX_FUNCTION_LINES = 60
"""Of a function with its docstring: one screen."""

SAY_NOTHING = {"base", "common", "core", "helpers", "manager", "utils"}
"""Names that say nothing of their content."""

WITHOUT_TESTS: frozenset[str] = frozenset()
"""Modules without a test file of their own, such as "relay/upstream/pool.py". May only shrink."""


def source_of(module: str) -> Path:
    return (ROOT if module.startswith("demo/") else PACKAGE) / module


def own_tests(module: str) -> Path:
    """Return where the tests of a module belong: relay/upstream/pool.py has tests/relay/test_pool.py."""
    path = ROOT / "tests" / module
    return path.with_name(f"test_{path.name}")


def has_to_be_tested(module: str) -> bool:
    return not module.endswith(("__init__.py", "__main__.py"))


def missing_tests() -> set[str]:
    return {module for module in MODULES if has_to_be_tested(module) and not own_tests(module).is_file()}


def test_every_module_has_its_own_test_file() -> None:
    missing = sorted(str(own_tests(module).relative_to(ROOT)) for module in missing_tests() - WITHOUT_TESTS)
    assert not missing, f"write these: {', '.join(missing)}"


def test_the_list_of_modules_without_tests_only_shrinks() -> None:
    closed = sorted(WITHOUT_TESTS - missing_tests())
    assert not closed, f"these have tests now, or are gone: take them off WITHOUT_TESTS: {', '.join(closed)}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_for_and_stays_readable(module: str) -> None:
    source = source_of(module).read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module begins with one to ten lines on what it does"
    assert len(source.splitlines()) <= MAX_LINES, "divide it by subject"
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]
    assert not long, "give the steps names"


def test_no_name_says_nothing() -> None:
    named = [module for module in MODULES if SAY_NOTHING & set(module.removesuffix(".py").split("/"))]
    assert not named, "name what the module does"
