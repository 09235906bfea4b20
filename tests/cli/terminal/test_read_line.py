"""A line is read whole, a secret is not echoed, and a signal ends the wait at whatever moment it comes."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import sys
import termios
import threading
from collections.abc import Iterator

import pytest

from clawgate.cli.terminal import read_line as typed_line
from clawgate.cli.terminal.read_line import read_line


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a terminal; what is written to this descriptor is typed."""
    person, program = pty.openpty()
    with os.fdopen(program, "r") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield person
    os.close(person)


def test_pipes_are_read_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo"))
    assert [read_line("? "), read_line("? ", hidden=True), read_line("? ")] == ["one", "", "two"]
    with pytest.raises(EOFError):
        read_line("? ")


def test_a_prompt_can_be_kept_out_of_what_a_program_reads(
    keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(keyboard, b"one\ncanary\n")
    assert [read_line("? ", err=True), read_line("! ", err=True, hidden=True)] == ["one", "canary"]
    assert capsys.readouterr() == ("", "? ! \n")


def test_typed_lines_are_read_one_by_one(keyboard: int) -> None:
    """Also when they were typed ahead."""
    os.write(keyboard, b"one\ntwo\n")
    assert [read_line("? "), read_line("? ")] == ["one", "two"]


def test_the_end_of_the_input(keyboard: int) -> None:
    os.write(keyboard, b"\x04")
    with pytest.raises(EOFError):
        read_line("? ")


def test_a_hidden_line_is_not_echoed_and_the_terminal_is_left_as_it_was(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is shown that is typed as soon as the prompt is there."""
    before = termios.tcgetattr(keyboard)
    shown: list[str] = []

    def show(text: str, *, err: bool) -> None:
        assert not err
        shown.append(text)
        if text == "? ":
            os.write(keyboard, b"canary\n")

    monkeypatch.setattr(typed_line, "_print", show)
    assert read_line("? ", hidden=True) == "canary" and shown == ["? ", "\n"]
    assert termios.tcgetattr(keyboard) == before
    os.write(keyboard, b"shown\n")
    assert os.read(keyboard, 100) == b"shown\r\n"


def test_a_signal_ends_the_wait(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes before the wait has begun and whose handler has not run yet."""
    kept = select.select
    handled: list[int] = []

    def wait(readers: list[int], writers: list[int], odd: list[int]) -> object:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        found = kept(readers, writers, odd, 30)
        assert found[0], "nothing ended it"
        os.write(keyboard, b"done\n")
        return found

    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    monkeypatch.setattr("select.select", wait)
    try:
        assert read_line("? ") == "done" and handled
    finally:
        monkeypatch.undo()
        signal.signal(signal.SIGUSR1, before)
    assert signal.set_wakeup_fd(-1) == -1


def test_ctrl_c_is_no_answer(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("select.select", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_line("? ", hidden=True)


def test_another_thread_can_read_as_well(keyboard: int) -> None:
    os.write(keyboard, b"one\n")
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(read_line("? ")))
    thread.start()
    thread.join(120)
    assert found == ["one"]
