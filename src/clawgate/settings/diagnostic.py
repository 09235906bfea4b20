"""The one record of what is wrong with the settings, or worth a note: where, what, how serious, and how to fix it.

Must not hold a value that could be a secret. Plugins make it too (`clawgate.plugins.api`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.redaction import redact_path


class Severity(IntEnum):
    """An error keeps something from serving, or lets others read what they must not."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """``path`` are the keys of the setting; empty for what is not about one setting.

    ``message`` says what is wrong, ``fix`` what to do: a half sentence or a command, "" where the message says it.
    ``location`` is where the value was found: ``file:line:column``, a file, a variable, a flag. ``unset``: the value is
    missing here and may be set where this process cannot see it.
    """

    path: KeyPath
    message: str
    severity: Severity = Severity.ERROR
    fix: str = ""
    location: str = field(default="", kw_only=True)
    unset: bool = field(default=False, kw_only=True)

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def key(self) -> str:
        """``path`` as text, without a secret that is used as a key."""
        return format_key_path(redact_path(self.path))

    @property
    def where(self) -> str:
        """The key, the location, or both."""
        key = self.key
        return f"{key} ({self.location})" if key and self.location else key or self.location

    @property
    def text(self) -> str:
        """What is wrong and what to do, without where."""
        return f"{self.message}; {self.fix}" if self.fix else self.message

    def without_location(self) -> Diagnostic:
        """Return the same for comparing before and after a change of the file, which moves lines."""
        return replace(self, location="")

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text
