"""Whatever the bytes: the pure readers answer or refuse with the error that they document; nothing else escapes."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pyjson5
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clawgate.errors import GatewayError, InvalidRequest, MalformedRequest
from clawgate.policy.authentication import presented_token
from clawgate.policy.client_ip import client_key
from clawgate.policy.cross_origin import CrossOriginPolicy, host_name
from clawgate.policy.egress.policy import EgressPolicy, check_address
from clawgate.relay.response.closing import closing_event
from clawgate.settings.environment import Environment
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.loader import SettingsSources, load, read_sources
from clawgate.settings.roles.server import ServerSettings
from clawgate.wire.anthropic.stream_end import EventKind, kind_of
from clawgate.wire.http.message import split_target
from clawgate.wire.http.url import Origin, parse_url
from clawgate.wire.json.model_field import peek_model, require_model
from clawgate.wire.sse.reader import EventReader

fuzz = settings(max_examples=400, deadline=None)

URL_PIECES = ["http", "https", ":", "/", "//", "@", "[", "]", "::1", "127.0.0.1", "a", ".", "..", "%2e", "\\",
"?", "#", "80",
              "99999", " ", "\n", "\t", "\x00", "\uff11", "\u3002", "\u212a", "-", "_"]  # fmt: skip
TARGET_PIECES = [
    b"/",
    b"//",
    b"..",
    b".",
    b"%2e",
    b"%2F",
    b"%5c",
    b"\\",
    b"?",
    b"#",
    b"a",
    b"%",
    b"%00",
    b"\r\n",
    b"\xff",
    b"v1",
]
JSON_PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"model"',
    '"Model"',
    '"\\u006dodel"',
    '"a"',
    "1",
    "null",
    "NaN",
    '"',
    "\\",
    " ",
    "\n",
    "e9",
]
JSON5_PIECES = [*JSON_PIECES, "'", "//", "/*", "*/", "plugins", "entries", "config", "'x'", "${A}", "${",
"0x", "+", "Infinity", "\ufeff",
                "{plugins:{entries:{x:{config:", "}}}}", "{source:'env',id:'A'}", "\u2028"]  # fmt: skip


def glued(pieces: list[str], most: int = 12) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=most).map("".join) | st.text(max_size=30)


@fuzz
@given(glued(URL_PIECES))
def test_url(text: str) -> None:
    """What is taken is plain ASCII, and reads the same when parsed again."""
    try:
        origin, path = parse_url(text)
    except UnicodeError:
        raise AssertionError("a UnicodeError is not a reason") from None
    except ValueError:
        return
    assert (
        f"{origin}{path}".isascii() and 1 <= origin.port <= 65535 and not set(origin.host) & set("@/\\ []%?#")
    )
    assert parse_url(f"{origin}{path}") == (origin, path)


@fuzz
@given(st.lists(st.sampled_from(TARGET_PIECES), max_size=10).map(b"".join) | st.binary(max_size=30))
@example(b"/%2e%2e%2f")
def test_target(target: bytes) -> None:
    """What is taken is kept as it was, and no segment of it climbs."""
    try:
        path, query = split_target(target)
    except MalformedRequest:
        return
    assert path + query == target and path.startswith(b"/")
    assert not {b".", b".."} & set(unquote_to_bytes(path).split(b"/")) and b"\\" not in unquote_to_bytes(path)


@fuzz
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_event_stream(chunks: list[bytes]) -> None:
    """Any bytes in any chunks: none is lost, each event has a kind, and an addition is our event or nothing."""
    closing, reader = b"data: {}\n\n", EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    rest = reader.close()
    assert b"".join(event.raw for event in events) + (rest.raw if rest else b"") == b"".join(chunks)
    assert all(kind_of(event) in EventKind for event in events)
    last = next((event for event in reversed(events) if event.data is not None), None)
    assert closing_event(reader, last, closing) in (b"", closing, b"\n\n" + closing)


@fuzz
@given(
    glued(JSON_PIECES, 16).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)
)
def test_peek(body: bytes) -> None:
    """A model that is decided by is the one that Python's reader finds, and the log line never fails."""
    seen = peek_model(body)
    assert seen is None or seen.encode() is not None
    try:
        model = require_model(body)
    except InvalidRequest:
        return
    assert model == seen == json.loads(body.decode("utf-8", "replace"))["model"]


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.sampled_from(["model", "Model", "a"]), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_peek_on_documents(document: object) -> None:
    """On any JSON document: exactly those with one model by that name, a text that is not empty."""
    body = json.dumps(document).encode()
    named = [key for key in document if key.lower() == "model"] if isinstance(document, dict) else []
    model = document["model"] if isinstance(document, dict) and named == ["model"] else None
    if isinstance(model, str) and model:
        assert require_model(body) == model
    else:
        with pytest.raises(InvalidRequest):
            require_model(body)


def load_or_refuse(model: type[BridgeSettings | ServerSettings], given: SettingsSources) -> None:
    """Settings, or problems each with a name and a reason."""
    try:
        load(model, {}, given)
    except SettingsInvalid as error:
        problems = error.problems
    else:
        return
    assert problems and all(problem.text for problem in problems)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=glued(JSON5_PIECES, 20), encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"]))
@example(text="[" * 100_000, encoding="utf-8")
@example(text='{"a":' * 30 + "1" + "}" * 30, encoding="utf-8")
@example(text="{plugins:{entries:{x:{config:{k:'${A}'}}}}}", encoding="utf-8")
def test_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, encoding: str) -> None:
    """Any text in the place of the config file: settings, or problems that name the file."""
    monkeypatch.delenv("A", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.json"
    path.write_bytes(text.encode(encoding, "replace"))
    try:
        found = read_sources(entry="x", config=str(path), env_file=None)
    except SettingsInvalid as error:
        problems = error.problems
    else:
        problems = []
        pyjson5.decode(path.read_text())
        load_or_refuse(BridgeSettings, found)
    assert all(str(path) in problem.location for problem in problems)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([BridgeSettings, ServerSettings]),
    st.dictionaries(st.sampled_from(["remoteUrl", "proxyToken", "proxyTokens", "port", "bridgePort", "models",
    "host", "nope",
                                     "connectTimeout", "openaiApiKey", "allowHost", "verbose"]), values, max_size=6),
    st.dictionaries(st.sampled_from(["OPENAI_API_KEY", "OPENAI_PROXY_TOKENS", "PROXY_BRIDGE_PORT",
    "OPENAI_PROXY_MODELS"]), st.text(max_size=9)),
)  # fmt: skip
def test_settings(
    model: type[BridgeSettings | ServerSettings], block: dict[str, object], environment: dict[str, str]
) -> None:
    """Any values in any place: settings, or problems each with a name and a reason."""
    load_or_refuse(model, SettingsSources(environment=Environment(environment), block=block, block_name="f"))


@fuzz
@given(st.text(max_size=40), st.booleans())
def test_address(text: str, trusted: bool) -> None:
    """Any text: a verdict; what is allowed is an address. And any text has a key to count failures by."""
    assert isinstance(client_key(text), str)
    policy = EgressPolicy(requester="test", private=trusted)
    if check_address(text, Origin("http", "h", 80), policy).allowed:
        ip_address(text.partition("%")[0])


@fuzz
@given(
    st.lists(
        st.tuples(st.sampled_from([b"authorization", b"x-proxy-token", b"x"]), st.binary(max_size=20)),
        max_size=4,
    )
)
def test_credentials(fields: list[tuple[bytes, bytes]]) -> None:
    try:
        found = presented_token(fields)
    except InvalidRequest:
        return
    assert found is None or (found and any(found in value for _, value in fields))


@fuzz
@given(st.binary(max_size=30), st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20))
def test_browser(host: bytes, origin: bytes | None, fetch_site: bytes | None) -> None:
    """Any bytes in the fields: only a request of this machine's own passes."""
    try:
        CrossOriginPolicy().check_source(host=host, origin=origin, fetch_site=fetch_site)
        CrossOriginPolicy().check_content_type(host, has_credential=True)
    except GatewayError:
        return
    assert origin is None and host_name(host) in (b"localhost", b"127.0.0.1", b"[::1]")
