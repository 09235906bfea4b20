"""Writes a Compose file as JSON once it is resolved and checked; run by a Python that has `compose-spec` and `pyyaml`.

    python compose_program.py FILE NAME=value...

Variables are replaced as Compose does it, `<<` is merged, and the crate behind `compose-spec` checks the result against
the specification: it refuses what it does not know, and networks that are not defined.
"""

import json
import re
import sys
from pathlib import Path

import compose_spec  # type: ignore[import-not-found]
import yaml  # type: ignore[import-untyped,unused-ignore]

VARIABLE = re.compile(r"\$\{(\w+)(?:(:?-)([^}]*))?\}")


class Plain(yaml.SafeDumper):  # type: ignore[misc,unused-ignore]
    """Without anchors, which the crate does not read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main(file: str, *pairs: str) -> None:
    values = dict(pair.split("=", 1) for pair in pairs)

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        found = values.get(name)
        if found is None or (operator == ":-" and not found):
            return default or ""
        return found

    resolved = yaml.safe_load(VARIABLE.sub(value, Path(file).read_text()))
    compose_spec.PyCompose.from_yaml(yaml.dump(resolved, Dumper=Plain, sort_keys=False)).validate()
    sys.stdout.write(json.dumps(resolved))


main(*sys.argv[1:])
