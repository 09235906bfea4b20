"""What if a plugin raises, hangs, exits or answers nonsense? Its code is called here, and nowhere else.

A failure becomes one line with the plugin's name, its traceback goes to the debug log, and whoever called goes on. What
code within the same process cannot be kept from (it blocks the event loop, it ends the process by force) is not kept
from it: that is what the manifest and the user's consent are for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from pydantic import BaseModel

from clawgate.errors import ProviderUnavailable
from clawgate.plugins.api import (
    ChecksConfig,
    Diagnostic,
    MappedError,
    MapsErrors,
    PluginError,
    Service,
    ServiceContext,
    ServiceStatus,
    TransformsRequests,
    Unavailable,
    UpstreamRequest,
)
from clawgate.plugins.host.watchdog import STEP_SECONDS, EventLoopBlocked, WatchedAwaitable, alarm_after

logger = logging.getLogger("clawgate.plugins")

LOAD_SECONDS = 10.0
"""For the import of a plugin, and for its ``register``."""
START_SECONDS = 10.0
STOP_SECONDS = 10.0
_LEAVE_SECONDS = 0.5
"""For a start or stop that was told to end because it took too long."""

_T = TypeVar("_T")


class PluginFailed(Exception):
    """A plugin did something else than it should; the text is one line for a person, without the plugin's name."""


def reason_of(error: BaseException) -> str:
    """One line about ``error``: a plugin's own words where it chose them, else its type and its first line."""
    if isinstance(error, PluginFailed | PluginError):
        text = str(error)
    elif isinstance(error, SystemExit):
        text = "it called sys.exit"
    elif isinstance(error, TimeoutError) and not str(error):
        text = "it took too long"
    else:
        text = f"{type(error).__name__}: {_text_of(error)}".rstrip(": ")
    line = (text.splitlines() or ["it failed"])[0][:300]
    return line if line.isprintable() else ascii(line)[1:-1]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the plugin boundary: even an error's text is the plugin's code
        return "(no text)"


def run_with_timeout(seconds: float, doing: str, call: Callable[[], _T]) -> _T:
    """What ``call`` returns, if it does within ``seconds``. Raises `PluginFailed` for whatever else happens.

    It runs in a thread of its own, which a plugin that hangs keeps; the process ends without waiting for it. So
    a plugin has no main thread while it is loaded, and no signal handlers.
    """
    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  # the plugin boundary: SystemExit and KeyboardInterrupt, too
            failures.append(error)

    thread = threading.Thread(target=run, name=f"plugin: {doing}", daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if not failures:
        raise PluginFailed(f"{doing} took longer than {seconds:g} s")
    logger.debug("a plugin failed while: %s", doing, exc_info=failures[0])
    kind = type(failures[0]) if isinstance(failures[0], PluginFailed) else PluginFailed
    raise kind(reason_of(failures[0])) from failures[0]


_whose: ContextVar[str | None] = ContextVar("plugin", default=None)
"""The plugin whose code a task runs; tasks that it starts inherit it."""


async def _own(plugin: str, call: Callable[[], Awaitable[None]]) -> None:
    _whose.set(plugin)
    with alarm_after(STEP_SECONDS):
        waited = call()
    await _without_exit(WatchedAwaitable(waited))


async def _without_exit(waited: Awaitable[_T]) -> _T:
    """An event loop ends when a task raises SystemExit or KeyboardInterrupt; a plugin's may raise something else."""
    try:
        return await waited
    except (SystemExit, KeyboardInterrupt) as error:
        raise PluginFailed(reason_of(error)) from error


async def _background(plugin: str, waited: Awaitable[_T]) -> _T:
    """What a task that a plugin started for itself does; nobody of the host awaits it, so its end is told here."""
    try:
        return await _without_exit(WatchedAwaitable(waited, seconds=STEP_SECONDS))
    except EventLoopBlocked as error:
        logger.error("[plugins] %s: a task of its own was ended: %s", plugin, error)  # noqa: TRY400  # no traceback
        raise


def _contain_tasks() -> None:
    """From now on `sys.exit` in a task that a plugin starts, or a step that blocks, ends that task and not more."""
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is not None:
        return

    def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        plugin = _whose.get()
        if plugin is not None and asyncio.iscoroutine(coroutine):
            coroutine = _background(plugin, coroutine)
        return asyncio.Task(coroutine, loop=loop, **more)

    loop.set_task_factory(task)


class IsolatedService:
    """A plugin's service as the host calls it: nothing that it does reaches the caller but as a reason.

    ``clean`` takes secrets out of what it says. Unless it runs, its providers are unavailable.
    """

    def __init__(
        self,
        plugin: str,
        service: Service,
        *,
        clean: Callable[[str], str] = str,
        start_seconds: float = START_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.plugin = plugin
        self.failure: str | None = None
        """Why it does not run, if it should."""
        self._service = service
        self._clean = clean
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._runs = False
        self._begun = False
        self._left: set[asyncio.Future[Any]] = set()

    async def start(self, context: ServiceContext) -> bool:
        """Whether it runs now; else `failure` says why."""
        self._begun = True
        self.failure = await self._called("start", lambda: self._service.start(context), self._start_seconds)
        self._runs = self.failure is None
        return self._runs

    async def stop(self) -> bool:
        """Whether it stopped as it should. After this nothing more is asked of it; twice is harmless."""
        if not self._begun:
            return True
        self._begun = self._runs = False
        return await self._called("stop", self._service.stop, self._stop_seconds) is None

    def status(self) -> ServiceStatus:
        """Its own word, or that it has none."""
        if not self._runs:
            reason = self.failure or "it is not started"
            return ServiceStatus(state="failed" if self.failure else "stopped", ok=False, reason=reason)
        try:
            with alarm_after(STEP_SECONDS):
                found: object = self._service.status()
            if isinstance(found, ServiceStatus):
                return found
            reason = f"its status() returned {type(found).__name__}"
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason("status", error)
        return ServiceStatus(state="failed", ok=False, reason=reason)

    def unavailable(self) -> Unavailable | None:
        """None only if the service says so itself: whatever else happens, nobody is to be dialled."""
        if not self._runs:
            return Unavailable(
                reason=f"the plugin '{self.plugin}' is not running: {self.failure or 'not started'}"
            )
        try:
            with alarm_after(STEP_SECONDS):
                found: object = self._service.unavailable()
            if found is None or isinstance(found, Unavailable):
                return found
            reason = f"its unavailable() returned {type(found).__name__}"
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason("unavailable", error)
        return Unavailable(reason=f"the plugin '{self.plugin}' failed: {reason}")

    async def _called(self, doing: str, call: Callable[[], Awaitable[None]], seconds: float) -> str | None:
        """Why it did not do that, None if it did. A task that will not end is left to itself."""
        task: asyncio.Future[Any] | None = None
        try:
            _contain_tasks()
            task = asyncio.ensure_future(_own(self.plugin, call))  # noqa: TID251  # awaited below, or kept in _left
            done, _ = await asyncio.wait({task}, timeout=seconds)
            if not done:
                task.cancel()
                await asyncio.wait({task}, timeout=_LEAVE_SECONDS)
                if not task.done():
                    self._left.add(task)
                    task.add_done_callback(self._forget)
                raise PluginFailed(f"its {doing} took longer than {seconds:g} s")
            if task.cancelled():
                raise PluginFailed(f"its {doing} was cancelled")
            if (error := task.exception()) is not None:
                raise error
        except asyncio.CancelledError:
            if task is not None:
                task.cancel()
            raise
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason(doing, error)
            logger.error("[plugins] %s: %s failed: %s", self.plugin, doing, reason)  # noqa: TRY400  # at debug
            return reason
        return None

    def _forget(self, task: asyncio.Future[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()

    def _reason(self, doing: str, error: BaseException) -> str:
        logger.debug("the plugin %s failed in %s", self.plugin, doing, exc_info=error)
        return self._clean(reason_of(error))


def shaped(plugin: str, provider: object, request: UpstreamRequest) -> UpstreamRequest:
    """``request`` as the provider wants it. Raises `ProviderUnavailable` where its plugin fails: nothing may leave."""
    if not isinstance(provider, TransformsRequests):
        return request
    try:
        with alarm_after(STEP_SECONDS):
            found: object = provider.shape(request)
        if isinstance(found, UpstreamRequest) and found.model:
            return found
        reason = "its shape() returned no request"
    except BaseException as error:  # the plugin boundary
        logger.debug("the plugin %s failed in shape", plugin, exc_info=error)
        reason = reason_of(error)
    raise ProviderUnavailable(
        f"the plugin '{plugin}' could not prepare the request, so it was not sent: {reason}"
    )


def judged(plugin: str, provider: object, status: int, body: bytes) -> MappedError | None:
    """What the provider makes of a failure; None, where it has nothing to say or its plugin fails."""
    if not isinstance(provider, MapsErrors):
        return None
    try:
        with alarm_after(STEP_SECONDS):
            found: object = provider.judge(status, body)
        if found is None or (isinstance(found, MappedError) and 400 <= found.status <= 599):
            return found
        reason = "its judge() returned no verdict on a failure"
    except BaseException as error:  # the plugin boundary
        logger.debug("the plugin %s failed in judge", plugin, exc_info=error)
        reason = reason_of(error)
    logger.warning("[plugins] %s: judge failed: %s", plugin, reason)
    return None


def config_notes(provider: object, config: Mapping[str, Any], settings: BaseModel) -> tuple[Diagnostic, ...]:
    """What the provider says does not fit in ``config``. Raises `PluginFailed` where its plugin fails."""
    if not isinstance(provider, ChecksConfig):
        return ()
    try:
        with alarm_after(STEP_SECONDS):
            found: object = tuple(provider.config_notes(config, settings))
    except BaseException as error:  # the plugin boundary
        logger.debug("a plugin failed in config_notes", exc_info=error)
        raise PluginFailed(f"its config_notes failed: {reason_of(error)}") from error
    assert isinstance(found, tuple)
    return tuple(one for one in found if isinstance(one, Diagnostic))
