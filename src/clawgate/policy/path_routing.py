"""Matches request paths and methods against a route table. Invariant: what is not listed is rejected."""

from __future__ import annotations

from dataclasses import dataclass

from clawgate.errors import MethodNotAllowed, UnknownRoute


@dataclass(frozen=True, slots=True)
class RouteTable:
    """``exact`` maps a path to its methods, ``prefixes`` the beginning of paths.

    The keys of ``prefixes`` end with '/'; the rest of the path is not checked here (`wire.http.message.split_target`
    did).
    """

    exact: dict[bytes, tuple[bytes, ...]]
    prefixes: dict[bytes, tuple[bytes, ...]]

    def check(self, method: bytes, path: bytes) -> None:
        """Raises `UnknownRoute` or `MethodNotAllowed`."""
        allowed = self.exact.get(path)
        if allowed is None:
            allowed = next(
                (methods for start, methods in self.prefixes.items() if path.startswith(start)), None
            )
            if allowed is None or path in self.prefixes:
                raise UnknownRoute(
                    f"unknown route '{path[:200].decode('ascii', 'replace')}'; {self._known()}"
                )
        if method not in allowed:
            raise MethodNotAllowed(
                f"method {method.decode('ascii')} is not allowed on this route",
                allow=tuple(name.decode("ascii") for name in allowed),
            )

    def _known(self) -> str:
        paths = [*self.exact, *(start + b"..." for start in self.prefixes)]
        return "routes: " + (", ".join(path.decode("ascii") for path in paths) or "none")


_POST = (b"POST",)
_GET = (b"GET", b"HEAD")

ANYTHING_BELOW_V1 = RouteTable(
    exact={}, prefixes={b"/v1/": (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")}
)
"""Of the bridge: the remote decides which routes it has."""

MODEL_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/responses": _POST,
        b"/v1/embeddings": _POST,
        b"/v1/completions": _POST,
        b"/v1/models": _GET,
    },
    prefixes={b"/v1/models/": _GET},
)
"""Of the server: uses of the key, and nothing that reads or changes the key owner's account."""

GATEWAY_ROUTES = RouteTable(
    exact={
        b"/v1/chat/completions": _POST,
        b"/v1/messages": _POST,
        b"/v1/messages/count_tokens": _POST,
        b"/v1/responses": _POST,
        b"/v1/embeddings": _POST,
    },
    prefixes={},
)
"""Of the gateway: every route names a model in its body."""
