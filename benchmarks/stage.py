"""Upstream in place, contender started and proven, load applied: the setting every scenario plays in.

One upstream serves all contenders, which take turns; what is not being timed sits idle.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.launch import Place
from benchmarks.probe import probe
from benchmarks.process_clock import cpu_ns
from benchmarks.roles import ENDS, Role, credential_of_client, rules_for_upstream
from benchmarks.started import Failed, Partner, Started, free_port
from benchmarks.translated_probe import probe_translation

_START_SECONDS = 30.0  # LiteLLM's on a busy machine


@dataclass
class Live:
    """A contender that is running, or the upstream itself under the name `direct`."""

    name: str
    role: Role
    port: int
    started: Started | None
    listening_ns: int = 0
    start_cpu_ns: int = 0

    def pids(self) -> list[int]:
        return self.started.pids() if self.started else []


class Stage:
    def __init__(self, folder: Path, pin: bool) -> None:
        self.folder = folder
        self.core_of_contender: int | None = 0 if pin else None
        self.core_of_others: int | None = 1 if pin else None
        self.proven: set[tuple[str, Role]] = set()
        self.token = secrets.token_hex(20)  # 40 characters, as the server role asks for
        self.upstream = self._partner("benchmarks.upstream")
        self.upstream.tell(rules_for_upstream(self.token))
        self.ports: dict[Role, int] = self.upstream.hear(20)  # type: ignore[assignment]

    @classmethod
    @contextlib.contextmanager
    def set(cls, pin: bool) -> Iterator[Stage]:
        with tempfile.TemporaryDirectory(prefix="clawgate-bench-") as folder:
            stage = cls(Path(folder), pin)
            with stage.upstream:
                yield stage

    def direct(self, role: Role = "direct") -> Live:
        return Live("direct", role, self.ports[role], None)

    @contextlib.contextmanager
    def running(self, contender: Contender) -> Iterator[Live]:
        """Started and listening; stopped at the end whatever happened in between."""
        folder = self._new_folder(contender.name)
        port = free_port()
        launch = contender.launch(Place(folder, port, self.ports, contender.role, self.token))
        with Started(launch.command, launch.env, folder, self.core_of_contender) as started:
            listening = started.wait_listening(port, _START_SECONDS)
            spent = cpu_ns(started.pids())
            yield Live(contender.name, contender.role, port, started, listening, spent)

    def prove(self, live: Live) -> None:
        """Raises Failed. A stream takes two seconds: only the first process of each contender has to show one."""
        whom = (live.name, live.role)
        self._ask_upstream()  # forget what came before
        prove = probe if ENDS[live.role].client == "relayed" else probe_translation
        prove(live.port, live.role, self.token, streams=whom not in self.proven)
        self._judge(live)
        self.proven.add(whom)

    def load(self, live: Live, order: dict[str, Any], deadline: float) -> dict[str, Any]:
        """One run of the load generator against this contender, judged by what the upstream saw."""
        with self.loading(live, order, deadline) as (_, result):
            return result

    @contextlib.contextmanager
    def loading(
        self, live: Live, order: dict[str, Any], deadline: float
    ) -> Iterator[tuple[Partner, dict[str, Any]]]:
        """The same, with the load generator still there, for orders that are held until it hears more."""
        before = live.pids()
        self._ask_upstream()  # forget what came before
        with self._partner("benchmarks.load") as generator:
            credential = credential_of_client(live.role, self.token)
            where = {"port": live.port, "credential": credential, "pids": before, "deadline": deadline}
            ends = ENDS[live.role]
            generator.tell(order | where | {"dialect": ends.client, "model": ends.model})
            yield generator, generator.hear(deadline + 10)
        if live.pids() != before:
            raise Failed("its set of processes changed while it was timed")
        if order["kind"] != "cancel":  # who times cancelling reads the upstream's report
            self._judge(live)

    def seen_upstream(self, live: Live) -> dict[str, Any]:
        seen: dict[str, Any] = self._ask_upstream()[live.role]
        return seen

    def _judge(self, live: Live) -> None:
        seen = self.seen_upstream(live)
        if seen["violations"]:
            raise Failed(
                f"{seen['violations']} of {seen['requests']} requests had wrong credentials upstream"
            )

    def _ask_upstream(self) -> dict[str, Any]:
        self.upstream.tell("report")
        return self.upstream.hear(10)

    def _partner(self, module: str) -> Partner:
        return Partner(module, self._new_folder(module), self.core_of_others)

    def _new_folder(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
