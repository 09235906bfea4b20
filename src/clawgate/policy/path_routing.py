"""Which paths are relayed, and with which methods? Everything that is not listed is refused."""

from __future__ import annotations

from dataclasses import dataclass

from clawgate.errors import MethodNotAllowed, UnknownRoute


@dataclass(frozen=True, slots=True)
class RouteTable:
    """``exact`` and ``below`` map a path, or the path that others must begin with, to its methods.

    ``below`` keys end with '/'; the rest of the path is not judged (its form has been: `wire.http1.split_target`).
    """

    exact: dict[bytes, tuple[bytes, ...]]
    below: dict[bytes, tuple[bytes, ...]]

    def check(self, method: bytes, path: bytes) -> None:
        """Raises `UnknownRoute` or `MethodNotAllowed`."""
        allowed = self.exact.get(path)
        if allowed is None:
            allowed = next((methods for start, methods in self.below.items() if path.startswith(start)), None)
            if allowed is None or path in self.below:
                raise UnknownRoute(
                    f"there is no route '{path[:200].decode('ascii', 'replace')}' here; {self._known()}"
                )
        if method not in allowed:
            raise MethodNotAllowed(
                f"{method.decode('ascii')} is not a method of this route",
                allow=tuple(name.decode("ascii") for name in allowed),
            )

    def _known(self) -> str:
        paths = [*self.exact, *(start + b"..." for start in self.below)]
        return "there are " + ", ".join(path.decode("ascii") for path in paths)


_POST = (b"POST",)
_GET = (b"GET", b"HEAD")

ANYTHING_BELOW_V1 = RouteTable(
    exact={}, below={b"/v1/": (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")}
)
"""The bridge's: what the remote offers is the remote's to decide."""

MODEL_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/responses": _POST,
        b"/v1/embeddings": _POST,
        b"/v1/completions": _POST,
        b"/v1/models": _GET,
    },
    below={b"/v1/models/": _GET},
)
"""The server's: what the key may be used for, and nothing that reads or changes the key owner's account."""

GATEWAY_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/messages": _POST,
        b"/v1/messages/count_tokens": _POST,
        b"/v1/responses": _POST,
        b"/v1/embeddings": _POST,
    },
    below={},
)
"""The gateway's: every one names a model in its body."""
