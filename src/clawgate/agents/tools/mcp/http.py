"""Speaks with an MCP server over HTTP: every connection through the dialer of all egress, to one origin alone.

Law: exactly the configured headers and the token leave, to the configured origin, and no cookie of the server comes
back. A redirect
within the origin is followed by the SDK, any other is an error. Bodies are bounded and not decompressed. Imports the
SDK.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Any, cast

import httpcore2
import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from clawgate import __version__
from clawgate.agents.tools.mcp.frames import MAX_FRAME, Events, FrameRejected, Heads, Pace, decode, repaired
from clawgate.agents.tools.mcp.oauth import Access, Authorization
from clawgate.errors import GatewayError
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.wire.http.url import Origin, parse_fetch_url

_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 300.0
"""Between two reads of a stream on which the server may have nothing to say."""
_SLACK_SECONDS = 30.0
_READ_BYTES = 4096
_EVENTS = b"text/event-stream"
_JSON = b"application/json"


class HttpTransport:
    """The streams to one server, for one connection. `McpSession` sets ``lost`` where it finds the session gone."""

    def __init__(
        self,
        dialer: Dialer,
        endpoint: UpstreamEndpoint,
        url: str,
        headers: Mapping[str, str],
        *,
        call_seconds: float,
        is_sse: bool = False,
        access: Access | None = None,
    ) -> None:
        self.lost = asyncio.Event()
        self._carrier = _Carrier(dialer, endpoint, parse_fetch_url(url)[1])
        self._url = url
        self._headers = {
            "user-agent": f"clawgate/{__version__}",
            "accept-encoding": "identity",
            **{name.lower(): value for name, value in headers.items()},
        }
        self._authorization = Authorization(access) if access is not None else None
        self._read_seconds = max(_IDLE_SECONDS, call_seconds + _SLACK_SECONDS)
        self._is_sse = is_sse
        self._stack = AsyncExitStack()

    @property
    def reason(self) -> str:
        """The last status that was no success, or why the server could not be reached; empty if neither."""
        return (self._authorization.reason if self._authorization is not None else "") or self._carrier.reason

    async def __aenter__(self) -> tuple[Any, Any]:
        async with AsyncExitStack() as stack:
            if self._is_sse:
                streams = sse_client(
                    self._url,
                    timeout=_CONNECT_SECONDS,
                    sse_read_timeout=self._read_seconds,
                    httpx_client_factory=lambda headers=None, timeout=None, auth=None: self._client(),
                )
            else:
                client = await stack.enter_async_context(self._client())
                streams = streamable_http_client(self._url, http_client=client, max_sse_event_size=MAX_FRAME)
            read, write = await stack.enter_async_context(streams)
            self._stack = stack.pop_all()
            return read, write

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=self._carrier,
            headers=self._headers,
            auth=self._authorization,
            timeout=httpx2.Timeout(_CONNECT_SECONDS, read=self._read_seconds),
            trust_env=False,
        )


class _Carrier(httpx2.AsyncBaseTransport):
    """Sends requests over connections that the dialer opened."""

    def __init__(self, dialer: Dialer, endpoint: UpstreamEndpoint, target: str) -> None:
        self.reason = ""
        self._origin = endpoint.origin
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=endpoint.tls, network_backend=_DialledConnections(dialer, endpoint, target)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url, origin = request.url, self._origin
        if not _is_at(str(url), origin):
            raise self._failed(f"a request to another origin than {origin} is not sent")
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = await self._pool.handle_async_request(sent)
        except GatewayError as error:
            raise self._failed(error.message) from error
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            raise self._failed(f"{origin}: {type(error).__name__} {error}".rstrip()) from error
        dropped = (b"set-cookie", b"content-type")
        headers = [(name, value) for name, value in response.headers if name.lower() not in dropped]
        if media_type := _media_type(response.headers):
            headers.append((b"content-type", media_type))
        if response.status >= HTTPStatus.BAD_REQUEST:
            self.reason = f"{origin}: status {response.status}"
        return httpx2.Response(
            response.status,
            headers=headers,
            stream=_Body(response.stream, headers, is_error=response.status >= HTTPStatus.BAD_REQUEST),
            extensions=response.extensions,
        )

    def _failed(self, reason: str) -> httpx2.TransportError:
        self.reason = reason
        return httpx2.ConnectError(reason)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """A response's body, whole for JSON and event by event for a stream, of which each was checked.

    That of an error may be anything: what is no JSON-RPC is left out.
    """

    def __init__(self, stream: Any, headers: Sequence[tuple[bytes, bytes]], *, is_error: bool) -> None:
        self._stream = stream
        self._is_error = is_error
        self._type = _media_type(headers)
        codings = {value.lower() for name, value in headers if name.lower() == b"content-encoding"}
        self._is_encoded = not codings <= {b"", b"identity"}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_encoded:  # a bomb unpacks to a thousand times of its size
            raise httpx2.StreamError("the server compressed its response although no encoding was accepted")
        try:
            async for part in self._events() if self._type == _EVENTS else self._whole():
                yield part
        except FrameRejected as error:
            raise httpx2.StreamError(f"the server sent {error}") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise httpx2.ReadError(str(error) or "the connection was closed") from error
        except httpcore2.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error) or "the server sent nothing") from error

    async def _events(self) -> AsyncIterator[bytes]:
        events, pace = Events(), Pace()
        async for data in self._stream:
            before = events.count
            if complete := events.feed(data):
                yield complete
            await asyncio.sleep(pace.after(len(data), events.count - before))
        events.close()

    async def _whole(self) -> AsyncIterator[bytes]:
        body = bytearray()
        async for data in self._stream:
            body += data
            if len(body) > MAX_FRAME:
                raise FrameRejected(f"a message of more than {MAX_FRAME} bytes")
        if body and self._type.startswith(_JSON):
            try:
                decode(bytes(body))
            except FrameRejected as error:
                if not (self._is_error and error.is_noise):
                    raise
                body.clear()
        yield repaired(bytes(body))

    async def aclose(self) -> None:
        await self._stream.aclose()


def _is_at(url: str, origin: Origin) -> bool:
    """Whether ``url`` is at ``origin``, in whatever spelling."""
    try:
        return parse_fetch_url(url)[0] == origin
    except ValueError:
        return False


def _media_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the one type of a body, without its charset: what is checked has to be what the SDK reads."""
    types = {value for name, value in headers if name.lower() == b"content-type"}
    return types.pop().partition(b";")[0].strip().lower() if len(types) == 1 else b""


class _DialledConnections(httpcore2.AsyncNetworkBackend):
    def __init__(self, dialer: Dialer, endpoint: UpstreamEndpoint, target: str) -> None:
        self._dialer = dialer
        self._endpoint = endpoint
        self._target = target

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Dial the endpoint, over TLS where it has that. Raises `GatewayError`."""
        try:
            async with asyncio.timeout(timeout):
                return _Connection(await self._dialer.open(_StreamProtocol, self._endpoint, self._target))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection within {timeout:g} s") from error


class _StreamProtocol(asyncio.StreamReaderProtocol):
    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        super().__init__(self.reader)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        writing = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass
        self.writer = asyncio.StreamWriter(writing, self, self.reader, asyncio.get_running_loop())


class _Connection(httpcore2.AsyncNetworkStream):
    def __init__(self, protocol: _StreamProtocol) -> None:
        self._reader = protocol.reader
        self._writer = protocol.writer
        self._heads = Heads()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return a small part: the caller parses all of it at once, 40 000 chunks of a byte in 128 kB."""
        try:
            async with asyncio.timeout(timeout):
                data = await self._reader.read(min(max_bytes, _READ_BYTES))
            await asyncio.sleep(0)  # what is buffered is read without a pause else
            self._heads.feed(data)
            return data
        except FrameRejected as error:
            raise httpcore2.RemoteProtocolError(f"the server sent {error}") from error
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(f"no data within {timeout:g} s") from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                self._heads.begin()
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(f"nothing was taken within {timeout:g} s") from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return self  # the dialer did it

    def get_extra_info(self, info: str) -> Any:
        return self._reader.at_eof() if info == "is_readable" else None  # an idle one that the server closed
