"""The log file: one JSON object a line, bounded, for its owner alone, and without a secret."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.log_file import file_handler

SECRET = 'sk-"canary"\\0123456789'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "gateway.log"


Attach = Callable[..., logging.Logger]


@pytest.fixture
def attach(path: Path) -> Iterator[Attach]:
    handlers: list[logging.Handler] = []
    logger = logging.getLogger("clawgate.relay")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)

    def make(**bounds: int) -> logging.Logger:
        handlers.append(file_handler(path, Redactor([SECRET]), **bounds))
        logger.addHandler(handlers[-1])
        return logger

    yield make
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
    for handler in handlers:
        logger.removeHandler(handler)
        handler.close()


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_a_json_object_without_secrets(path: Path, attach: Attach) -> None:
    attach().warning("two\nlines and %s", SECRET)
    (fields,) = lines(path)
    assert (fields["level"], fields["message"]) == ("warning", r"two\nlines and ***")


def test_only_its_owner_may_read_it(path: Path, attach: Attach) -> None:
    old = os.umask(0)
    try:
        logger = attach(max_file_bytes=200)
        for _ in range(3):
            logger.info("x" * 50)
    finally:
        os.umask(old)
    modes = {
        found.name: stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())
    }
    assert modes == {"logs": 0o700, "gateway.log": 0o600, "gateway.log.1": 0o600, "gateway.log.2": 0o600}


def test_the_log_never_exceeds_its_size_limits(path: Path, attach: Attach) -> None:
    logger = attach(max_file_bytes=1000, older_files=2)
    for number in range(200):
        logger.info("line %d", number)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert lines(path)[-1]["message"] == "line 199"


def test_an_existing_log_is_appended_to(path: Path, attach: Attach) -> None:
    attach()
    path.write_text('{"message": "kept"}\n')
    attach().info("second")
    assert lines(path)[0] == {"message": "kept"}


def test_a_moved_or_deleted_log_file_is_created_again(path: Path, attach: Attach) -> None:
    logger = attach()
    logger.info("one")
    path.rename(path.with_name("mine"))
    logger.info("two")
    path.unlink()
    logger.info("three")
    assert [fields["message"] for fields in lines(path)] == ["three"]


def test_a_symlink_in_place_of_the_log_is_not_followed(path: Path, tmp_path: Path, attach: Attach) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        attach()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_loses_lines_and_is_reported_once(
    path: Path, attach: Attach, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = attach()
    (handler,) = (found for found in logger.handlers if isinstance(found, RotatingFileHandler))
    assert handler.stream is not None
    handler.stream.close()
    path.unlink()
    with open("/dev/full", "w") as full:  # noqa: PTH123  # a stream that the handler may keep
        handler.stream = full
        handler._is_another_file = lambda stream: False  # type: ignore[attr-defined]  # the device, for this test
        for _ in range(3):
            logger.info("lost")
        fields = capsys.readouterr().err
        handler.stream = None
        with pytest.raises(OSError, match="No space"):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
    assert fields.count("cannot be written") == 1 and "No space" in fields
