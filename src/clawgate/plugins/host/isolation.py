"""Calls the code of plugins and turns every failure into a reason: an exception, a hang, an exit, a wrong result.

A failure becomes one log line with the plugin's name, with its traceback at debug level, and the caller continues.
Invariant: plugin code runs only here, in `hooks`, in `loader` and in `tools`. Code in the same process cannot be kept
from harm on purpose (ending the process by force): that is what the manifest and the operator's consent are for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from pydantic import BaseModel

from clawgate.plugins import api
from clawgate.plugins.host.watchdog import STEP_SECONDS, EventLoopBlocked, WatchedAwaitable, alarm_after

logger = logging.getLogger("clawgate.plugins")

LOAD_SECONDS = 10.0
"""For the import of a plugin, and for its ``register``."""
START_SECONDS = 10.0
STOP_SECONDS = 10.0
_CANCEL_SECONDS = 0.5
"""For a call that was cancelled: because it took too long, or with its caller."""

_T = TypeVar("_T")


class PluginFailed(Exception):
    """A plugin broke the interface. The text is one line for people, without the plugin's name."""


def reason_of(error: BaseException) -> str:
    """Return one printable line about ``error``: a plugin's own message, else the type and the first line."""
    if isinstance(error, PluginFailed | api.PluginError):
        text = str(error)
    elif isinstance(error, SystemExit):
        text = "it called sys.exit"
    elif isinstance(error, TimeoutError) and not str(error):
        text = "it took too long"
    else:
        text = f"{type(error).__name__}: {text_of(error)}".rstrip(": ")
    line = (text.splitlines() or ["it failed"])[0][:300]
    return line if line.isprintable() else ascii(line)[1:-1]


def text_of(error: BaseException) -> str:
    """Return what ``error`` prints, whatever its class does."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the plugin boundary: __str__ of an error is the plugin's code
        return "(no text)"


def run_with_timeout(seconds: float, step: str, call: Callable[[], _T]) -> _T:
    """Return the result of ``call``. Raises `PluginFailed` if it raises or takes longer than ``seconds``.

    The call runs in a daemon thread of its own: one that hangs is left behind, and the process ends without waiting for
    it. So a plugin has no main thread while it is loaded, and cannot set signal handlers.
    """
    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  # the plugin boundary: SystemExit and KeyboardInterrupt, too
            failures.append(error)

    thread = threading.Thread(target=run, name=f"plugin: {step}", daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if not failures:
        raise PluginFailed(f"{step} took longer than {seconds:g} s")
    logger.debug("plugin failed step=%s", step, exc_info=failures[0])
    kind = type(failures[0]) if isinstance(failures[0], PluginFailed) else PluginFailed
    raise kind(reason_of(failures[0])) from failures[0]


_current_plugin: ContextVar[str | None] = ContextVar("plugin", default=None)
"""The plugin whose code a task runs. Tasks that it starts inherit it."""


async def _run_for(plugin: str, call: Callable[[], Awaitable[_T]]) -> _T:
    _current_plugin.set(plugin)
    with alarm_after(STEP_SECONDS):
        awaitable = call()
    return await _without_exit(WatchedAwaitable(awaitable, seconds=STEP_SECONDS))


_running: set[asyncio.Future[Any]] = set()
"""Tasks of `run_contained`, so that one that was abandoned has an owner."""


async def run_contained(plugin: str, method: str, call: Callable[[], Awaitable[_T]], seconds: float) -> _T:
    """Return the result of ``call``, which runs in a task of its own; raises what it raises, but never an exit.

    Raises `PluginFailed` if it takes longer than ``seconds``. A task that ignores its cancellation, by this or by the
    caller's, is abandoned.
    """
    _contain_tasks()
    task = asyncio.ensure_future(_run_for(plugin, call))  # noqa: TID251  # awaited here, or abandoned
    _running.add(task)
    task.add_done_callback(_forget)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        is_late = not task.done()
        if is_late:
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
    if is_late:
        raise PluginFailed(f"its {method} took longer than {seconds:g} s")
    if task.cancelled():
        raise PluginFailed(f"its {method} was cancelled")
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()


async def _without_exit(awaitable: Awaitable[_T]) -> _T:
    """Turn SystemExit and KeyboardInterrupt into `PluginFailed`: either would end the event loop."""
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        raise PluginFailed(reason_of(error)) from error


async def _run_background(plugin: str, awaitable: Awaitable[_T]) -> _T:
    """Run a task that a plugin started. The host does not await it, so its failure is logged here."""
    try:
        return await _without_exit(WatchedAwaitable(awaitable, seconds=STEP_SECONDS))
    except EventLoopBlocked as error:
        logger.error("[plugins] %s: a background task was ended: %s", plugin, error)  # noqa: TRY400  # no traceback
        raise


def _contain_tasks() -> None:
    """Install a task factory: `sys.exit` or a blocking step in a plugin's task ends that task only."""
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is not None:
        return

    def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        plugin = _current_plugin.get()
        if plugin is not None and asyncio.iscoroutine(coroutine):
            coroutine = _run_background(plugin, coroutine)
        return asyncio.Task(coroutine, loop=loop, **more)

    loop.set_task_factory(task)


class IsolatedService:
    """A service of a plugin as the host calls it: no failure of its code reaches the caller, except as a reason.

    ``clean`` redacts secrets in reasons. While the service is not running, its providers are unavailable.
    """

    def __init__(
        self,
        plugin: str,
        service: api.Service,
        *,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.plugin = plugin
        self.failure: str | None = None
        """Why the start failed."""
        self._service = service
        self._clean = clean
        self._start_seconds, self._stop_seconds = START_SECONDS, STOP_SECONDS
        self.is_running = False
        self._has_begun = False

    async def start(self, context: api.ServiceContext) -> bool:
        """Return whether it is running now; if not, `failure` holds the reason."""
        self._has_begun = True
        self.failure = await self._call("start", lambda: self._service.start(context), self._start_seconds)
        self.is_running = self.failure is None
        return self.is_running

    async def stop(self) -> bool:
        """Return whether it stopped without a failure. No other method is called afterwards. Idempotent."""
        if not self._has_begun:
            return True
        self._has_begun = self.is_running = False
        return await self._call("stop", self._service.stop, self._stop_seconds) is None

    def reconfigure(self, config: BaseModel) -> bool:
        """Return whether the service uses ``config`` now; if not, it has to be restarted."""
        if not self.is_running or not isinstance(self._service, api.Reconfigurable):
            return False
        try:
            with alarm_after(STEP_SECONDS):
                return self._service.reconfigure(config) is True
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            self._reason("reconfigure", error)
            return False

    def status(self) -> api.ServiceStatus:
        """Return the service's own status, or one that holds the failure."""
        if not self.is_running:
            if self.failure:
                return api.ServiceStatus(state="failed", ok=False, reason=self.failure)
            state, reason = (
                ("starting", "it is starting") if self._has_begun else ("stopped", "it is not started")
            )
            return api.ServiceStatus(state=state, ok=False, reason=reason)
        try:
            with alarm_after(STEP_SECONDS):
                status: object = self._service.status()
            if isinstance(status, api.ServiceStatus):
                return status
            reason = f"its status() returned {type(status).__name__}"
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason("status", error)
        return api.ServiceStatus(state="failed", ok=False, reason=reason)

    def unavailable(self) -> api.Unavailable | None:
        """Return None only if the service does. Any failure counts as unavailable, so that nothing is dialled."""
        if not self.is_running:
            return api.Unavailable(
                reason=f"the plugin '{self.plugin}' is not running: {self.failure or 'not started'}"
            )
        try:
            with alarm_after(STEP_SECONDS):
                result: object = self._service.unavailable()
            if result is None or isinstance(result, api.Unavailable):
                return result
            reason = f"its unavailable() returned {type(result).__name__}"
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason("unavailable", error)
        return api.Unavailable(reason=f"the plugin '{self.plugin}' failed: {reason}")

    async def _call(self, method: str, call: Callable[[], Awaitable[None]], seconds: float) -> str | None:
        """Return why the method failed, or None."""
        try:
            await run_contained(self.plugin, method, call, seconds)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # the plugin boundary
            reason = self._reason(method, error)
            logger.error("[plugins] %s: %s failed: %s", self.plugin, method, reason)  # noqa: TRY400  # at debug
            return reason
        return None

    def _reason(self, method: str, error: BaseException) -> str:
        logger.debug("plugin failed plugin=%s method=%s", self.plugin, method, exc_info=error)
        return self._clean(reason_of(error))
