"""What is not listed is refused, with the methods that would do."""

from __future__ import annotations

import pytest

from clawgate.errors import MethodNotAllowed, UnknownRoute
from clawgate.policy.path_routing import (
    ANYTHING_BELOW_V1,
    GATEWAY_ROUTES,
    MODEL_ROUTES,
    RouteTable,
    gateway_routes,
)

BRIDGE, SERVER, GATEWAY = ANYTHING_BELOW_V1, MODEL_ROUTES, GATEWAY_ROUTES
NAMES = {id(BRIDGE): "bridge", id(SERVER): "server", id(GATEWAY): "gateway"}
POST, READ = ("POST",), ("GET", "HEAD")
ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

ROWS: list[tuple[RouteTable, bytes, bytes, tuple[str, ...] | bool | None, str]] = [
    (BRIDGE, b"POST", b"/v1/chat/completions", True, "what it is for"),
    (BRIDGE, b"DELETE", b"/v1/files/a", True, "the remote decides"),
    (BRIDGE, b"GET", b"/v1/a/b/c", True, "however deep"),
    (BRIDGE, b"GET", b"/v1/", False, "nothing behind the prefix"),
    (BRIDGE, b"GET", b"/v1", False, "the prefix without its slash"),
    (BRIDGE, b"GET", b"/v10/x", False, "a prefix that only begins like it"),
    (BRIDGE, b"GET", b"/V1/models", False, "paths have a case"),
    (BRIDGE, b"GET", b"/", False, "the root"),
    (BRIDGE, b"GET", b"/health", False, "the control plane's"),
    (BRIDGE, b"GET", b"/a/v1/models", False, "a prefix in the middle"),
    (BRIDGE, b"OPTIONS", b"/v1/models", ALL, "a preflight is never answered"),
    (BRIDGE, b"CONNECT", b"/v1/models", ALL, "nor is a tunnel opened"),
    (BRIDGE, b"TRACE", b"/v1/models", ALL, "nor anything traced"),
    (BRIDGE, b"get", b"/v1/models", ALL, "methods have a case"),
    (SERVER, b"POST", b"/v1/chat/completions", True, "chat"),
    (SERVER, b"POST", b"/v1/responses", True, "responses"),
    (SERVER, b"POST", b"/v1/embeddings", True, "embeddings"),
    (SERVER, b"POST", b"/v1/completions", True, "completions"),
    (SERVER, b"GET", b"/v1/models", True, "the models"),
    (SERVER, b"HEAD", b"/v1/models", True, "their head"),
    (SERVER, b"GET", b"/v1/models/gpt-5", True, "one model"),
    (SERVER, b"GET", b"/v1/models/ft:a/b", True, "one with a slash in its name"),
    (SERVER, b"GET", b"/v1/models/", False, "one without a name"),
    (SERVER, b"GET", b"/v1/chat/completions", POST, "listing stored chats is not for tokens"),
    (SERVER, b"POST", b"/v1/models", READ, "models are only read"),
    (SERVER, b"DELETE", b"/v1/models/ft:a", READ, "a tuned model is not deleted"),
    (SERVER, b"POST", b"/v1/chat/completions/", False, "a slash too many"),
    (SERVER, b"GET", b"/v1/chat/completions/abc", False, "a stored chat"),
    (SERVER, b"GET", b"/v1/responses/abc", False, "a stored response"),
    (SERVER, b"GET", b"/v1/files", False, "the key owner's files"),
    (SERVER, b"POST", b"/v1/fine_tuning/jobs", False, "what costs a lot"),
    (SERVER, b"GET", b"/v1/organization/users", False, "the key owner's account"),
    (SERVER, b"GET", b"/v1/organization/admin_api_keys", False, "the key owner's keys"),
    (SERVER, b"POST", b"/v1/batches", False, "batches"),
    (SERVER, b"GET", b"/v1/modelsx", False, "what only begins like a route"),
    (SERVER, b"POST", b"/v1/chat", False, "half a route"),
    (GATEWAY, b"POST", b"/v1/chat/completions", True, "chat"),
    (GATEWAY, b"POST", b"/v1/messages", True, "messages"),
    (GATEWAY, b"POST", b"/v1/messages/count_tokens", True, "counting tokens"),
    (GATEWAY, b"POST", b"/v1/responses/input_tokens", True, "counting tokens of an input"),
    (SERVER, b"POST", b"/v1/responses/input_tokens", True, "counting with the key"),
    (SERVER, b"GET", b"/v1/responses/input_tokens", POST, "no stored response"),
    (GATEWAY, b"POST", b"/v1/responses", True, "responses"),
    (GATEWAY, b"POST", b"/v1/embeddings", True, "embeddings"),
    (GATEWAY, b"GET", b"/v1/chat/completions", POST, "listing stored chats"),
    (GATEWAY, b"GET", b"/v1/messages", POST, "listing messages"),
    (GATEWAY, b"OPTIONS", b"/v1/messages", POST, "a preflight"),
    (GATEWAY, b"POST", b"/v1/messages/batches", False, "batches, whose models stand deeper"),
    (GATEWAY, b"POST", b"/v1/messages/", False, "a slash too many"),
    (GATEWAY, b"GET", b"/v1/responses/abc", False, "what names no model"),
    (GATEWAY, b"POST", b"/v1/completions", True, "completions of a text"),
    (GATEWAY, b"GET", b"/v1/models", False, "what is answered here, not asked of a provider"),
    (GATEWAY, b"POST", b"/v1/files", False, "files"),
]


@pytest.mark.parametrize(
    ("table", "method", "path", "verdict", "why"),
    ROWS,
    ids=[f"{NAMES[id(row[0])]}: {row[4]}" for row in ROWS],
)
def test_routes(
    table: RouteTable, method: bytes, path: bytes, verdict: tuple[str, ...] | bool, why: str
) -> None:
    if verdict is True:
        table.check(method, path)
    elif verdict is False:
        with pytest.raises(UnknownRoute, match="routes: /v1/"):
            table.check(method, path)
    else:
        with pytest.raises(MethodNotAllowed) as caught:
            table.check(method, path)
        assert caught.value.allow == verdict, why
        assert caught.value.message.endswith(f"; use {' or '.join(verdict)}")


def test_a_long_or_odd_path_does_not_come_back_whole() -> None:
    for table in (SERVER, BRIDGE):
        with pytest.raises(UnknownRoute) as caught:
            table.check(b"GET", b"/" + b"\xff" * 10_000)
        assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    ("table", "path", "meant"),
    [
        (GATEWAY, b"/chat/completions", "/v1/chat/completions"),
        (GATEWAY, b"/v1/v1/messages", "/v1/messages"),
        (SERVER, b"/models/gpt-4o", "/v1/models/gpt-4o"),
        (BRIDGE, b"/chat/completions", "/v1/chat/completions"),
        (GATEWAY, b"//chat/completions/", "/v1/chat/completions"),
        (GATEWAY, b"/v1/v1/v1//responses", "/v1/responses"),
    ],
)
def test_a_base_url_with_or_without_v1_is_named(table: RouteTable, path: bytes, meant: str) -> None:
    with pytest.raises(
        UnknownRoute, match=rf"'; did you mean {meant} \(see /v1 in the base URL\)\? routes: "
    ):
        table.check(b"POST", path)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (b"/v1/chat/completions/", "/v1/chat/completions"),
        (b"//v1/messages", "/v1/messages"),
        (b"/v1//chat///completions//", "/v1/chat/completions"),
        (b"/v1/chat/completions/chat/completions", "/v1/chat/completions"),
        (b"/v1/messages/v1/messages", "/v1/messages"),
        (b"/api/v1/responses", "/v1/responses"),
    ],
)
def test_a_path_with_slashes_or_folders_too_many_is_named(path: bytes, meant: str) -> None:
    with pytest.raises(
        UnknownRoute, match=rf"'; did you mean {meant}( \(see /v1 in the base URL\))?\? routes: "
    ):
        GATEWAY.check(b"POST", path)


def test_no_route_is_named_where_none_is_near() -> None:
    for path in (b"/", b"//", b"/v1", b"/v1/", b"/v1/v1/", b"/x", b"/v1/chat", b"/v1/xmessages"):
        with pytest.raises(UnknownRoute) as caught:
            GATEWAY.check(b"POST", path)
        assert "did you mean" not in caught.value.message


def test_an_exact_route_wins_over_the_one_below() -> None:
    table = RouteTable(exact={b"/a/b": (b"GET",)}, prefixes={b"/a/": (b"POST",)})
    table.check(b"GET", b"/a/b")
    with pytest.raises(MethodNotAllowed):
        table.check(b"POST", b"/a/b")
    table.check(b"POST", b"/a/c")


@pytest.mark.parametrize(
    ("table", "path", "query", "upstream"),
    [
        (BRIDGE, b"/v1/files", b"?limit=2&after=f_1&order=asc", b"?limit=2&after=f_1&order=asc"),
        (BRIDGE, b"/v1/responses/r", b"?include[]=a&include%5B%5D=b", b"?include[]=a&include%5B%5D=b"),
        (BRIDGE, b"/v1/chat/completions", b"?metadata[a]=b", b"?metadata[a]=b"),
        (BRIDGE, b"/v1/files", b"?api_key=k", b""),
        (BRIDGE, b"/v1/files", b"?%61pi_key=k&API_KEY=k&api-key=k&key=k&token=k&access_token=k", b""),
        (BRIDGE, b"/v1/files", b"?limit=2&api_key=k&after=x", b"?limit=2&after=x"),
        (BRIDGE, b"/v1/files", b"?limit=2;api_key=k", b""),
        (BRIDGE, b"/v1/files", b"?=x&&limit", b"?limit"),
        (BRIDGE, b"/v1/files", b"?", b""),
        (BRIDGE, b"/v1/files", b"", b""),
        (SERVER, b"/v1/models", b"?limit=2&beta=true", b"?limit=2"),
        (SERVER, b"/v1/models/m", b"?limit=2", b""),
        (SERVER, b"/v1/chat/completions", b"?beta=true", b""),
        (GATEWAY, b"/v1/messages", b"?beta=true&x=y", b"?beta=true"),
        (GATEWAY, b"/v1/messages/count_tokens", b"?beta=true", b"?beta=true"),
        (GATEWAY, b"/v1/chat/completions", b"?beta=true", b""),
    ],
)  # fmt: skip
def test_only_listed_parameters_go_upstream(
    table: RouteTable, path: bytes, query: bytes, upstream: bytes
) -> None:
    """Whatever they are called: `?api_key=` is only the best known way to put a credential there."""
    assert table.query_upstream(path, query) == upstream


@pytest.mark.parametrize(
    ("path", "switch"),
    [
        (b"/v1/responses", "gateway.http.endpoints.responses.enabled"),
        (b"/v1/messages", "gateway.http.endpoints.chatCompletions.enabled"),
        (b"/v1/capabilities", "gateway.http.endpoints.chatCompletions.enabled"),
    ],
)
def test_where_all_is_off_each_route_names_the_switch_that_turns_it_on(path: bytes, switch: str) -> None:
    with pytest.raises(UnknownRoute, match=f"or {switch} to serve agents"):
        gateway_routes(agents=frozenset(), models=False).check(b"POST", path)


def test_where_all_is_off_no_switch_of_agents_is_named_for_a_route_without_agents() -> None:
    with pytest.raises(UnknownRoute) as off:
        gateway_routes(agents=frozenset(), models=False).check(b"POST", b"/v1/completions")
    assert "agents" not in str(off.value)
