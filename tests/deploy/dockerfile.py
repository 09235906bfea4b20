"""Reads a Dockerfile: its stages, each with its base and its instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

EXEC_FORMS = {"ENTRYPOINT", "CMD", "HEALTHCHECK"}


@dataclass(slots=True)
class Stage:
    """``config`` has what the image says of a container: ENTRYPOINT, CMD, HEALTHCHECK, USER, WORKDIR."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Dockerfile:
    """``arguments``: ARG before the first stage."""

    arguments: dict[str, str]
    stages: list[Stage]

    def chain(self, target: str) -> list[Stage]:
        """The stages that a target is made of, its base first; those that it copies from are left out."""
        stage = next(one for one in self.stages if one.name == target)
        known = {one.name for one in self.stages}
        return [*(self.chain(stage.base) if stage.base in known else ()), stage]

    def steps(self, target: str) -> list[tuple[str, str]]:
        return [step for stage in self.chain(target) for step in stage.steps]

    def last(self, target: str, word: str) -> str:
        """The text of the last instruction of this kind."""
        return [text for name, text in self.steps(target) if name == word][-1]

    def command(self, target: str, word: str) -> list[str]:
        """The words of an exec form. Raises ValueError for the shell form."""
        text = self.last(target, word)
        found = json.loads(text[text.index("[") :]) if "[" in text else None
        if isinstance(found, list):
            return [str(one) for one in found]
        raise ValueError(f"{word} is not in exec form: {text}")


def read(path: Path) -> Dockerfile:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, text = line.strip().partition(" ")
        if not word:
            continue
        if word == "FROM":
            base, _, name = text.partition(" AS ")
            stages.append(Stage(name.strip(), base.strip()))
        elif not stages:
            arguments |= pairs(text)
        else:
            stages[-1].steps.append((word, text.strip()))
    return Dockerfile(arguments, stages)


def pairs(text: str) -> dict[str, str]:
    """``NAME=value`` of ARG and ENV."""
    return dict(part.partition("=")[::2] for part in text.split())
