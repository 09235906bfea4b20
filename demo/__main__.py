"""Try clawgate in one command: model <- server <- bridge <- gateway, streamed responses, and what each hop costs.

`./scripts/run` runs it. It shows the product as a user meets it, by its command line only; it leaves nothing
behind: no process, no file outside a temporary folder, and never a look into the user's own ~/.openclaw.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from clawgate.cli.terminal.program import local_curl, names_proxy
from clawgate.cli.terminal.standard_streams import flush_and_exit, guard_standard_streams
from demo.client import Hop, MessagesSender, Reply, Sender, Timing, time_hops
from demo.config import (
    ANTHROPIC,
    ANTHROPIC_KEY_VARIABLE,
    BRIDGE,
    CLAUDE,
    openclaw_config,
    write_openclaw_config,
)
from demo.models.openai_chat import reply_text
from demo.processes import (
    CannotStart,
    Child,
    environment,
    free_port,
    start,
    stop,
    wait_until_ready,
)

PROMPT = "What is a gateway for?"
OPENAI = "https://api.openai.com/v1"
_ROOT = Path(__file__).parents[1]
INTERRUPTED = 130


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP: the person wants it to end."""


@dataclass(slots=True)
class Demo:
    """One run: its options, its folder, its tokens (new each time), and the children started so far."""

    console: Console
    folder: Path
    gateway_port: int
    bridge_port: int
    server_port: int
    openai_key: str | None
    openai_url: str
    model: str
    children: list[Child]
    gateway_token: str

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def builtin(self) -> bool:
        return self.openai_key is None

    def start(self) -> tuple[Hop, ...]:
        """Start what is needed, in order; gives upstream, server, bridge and gateway as places to send to."""
        key, url = self.openai_key or f"sk-demo-{secrets.token_urlsafe(24)}", self.openai_url
        claude_key, claude_port = f"sk-ant-demo-{secrets.token_urlsafe(24)}", free_port(0, "")
        config = Path(environment(self.folder / "home")["OPENCLAW_CONFIG_PATH"])
        write_openclaw_config(config, openclaw_config(self.bridge_port, claude_port, self.model))
        if self.builtin:
            port = free_port(0, "")
            self._model("model", "demo.models.openai_server", port, key)
            url = f"http://127.0.0.1:{port}/v1"
        self._model("claude", "demo.models.anthropic_server", claude_port, claude_key)
        token = secrets.token_urlsafe(24)
        secret = {"OPENAI_API_KEY": key, "OPENAI_PROXY_TOKEN": token, "OPENAI_BASE_URL": url}
        server = ["clawgate", "server", "run", "--host", "127.0.0.1", "--port", str(self.server_port)]
        self._start("server", [*server, "--exit-on-stdin-eof"], self.server_port, secret, "--server-port")
        server_url = f"http://127.0.0.1:{self.server_port}"
        bridge = ["clawgate", "bridge", "run", "--host", "127.0.0.1", "--port", str(self.bridge_port)]
        remote = ["--remote-url", server_url, "--exit-on-stdin-eof"]
        self._start(
            "bridge", [*bridge, *remote], self.bridge_port, {"PROXY_BRIDGE_TOKEN": token}, "--bridge-port"
        )
        gateway = ["clawgate", "gateway", "run", "--port", str(self.gateway_port), "--exit-on-stdin-eof"]
        given = {"OPENCLAW_GATEWAY_TOKEN": self.gateway_token, ANTHROPIC_KEY_VARIABLE: claude_key}
        self._start("gateway", gateway, self.gateway_port, given, "--gateway-port")
        admitted = {"Authorization": f"Bearer {self.gateway_token}"}
        return (
            Hop("model", url, {"Authorization": f"Bearer {key}"}),
            Hop("server", f"{server_url}/v1", {"X-Proxy-Token": token}),
            Hop("bridge", f"http://127.0.0.1:{self.bridge_port}/v1", {"Authorization": "Bearer not-used"}),
            Hop("gateway", f"{self.gateway_url}/v1", admitted, f"{BRIDGE}/"),
        )

    def _model(self, name: str, module: str, port: int, key: str) -> None:
        options = ["--port", str(port), "--token-delay-ms", "30", "--exit-on-stdin-eof"]
        # Secrets go by environment: a command line can be read by every user of the machine.
        self._start(name, [module, *options], port, {"MODEL_API_KEY": key, "PYTHONPATH": str(_ROOT)}, "")

    def _start(self, name: str, module: list[str], port: int, extra: dict[str, str], flag: str) -> None:
        child = start(name, [sys.executable, "-P", "-m", *module], port, self.folder, extra)
        self.children.append(child)
        seconds = wait_until_ready(child, flag)
        self.say(f"  {name:<7} http://127.0.0.1:{port:<6} ready in {seconds:.2f} s, log {child.log}")

    def ask(self, gateway: Hop) -> None:
        """One streamed request through everything, and one in Anthropic's dialect, shown as they arrive."""
        last = "model" if self.builtin else "OpenAI"
        self.say(f"\nOne request through gateway -> bridge -> server -> {last}: {PROMPT}\n")
        reply = self._shown(Sender(gateway), self.model, exact=self.builtin)
        checked = "every byte of the model's text" if self.builtin else "to its [DONE]"
        self.say(
            f"\nWhole ({checked}): the first byte after {reply.first_byte * 1000:.0f} ms "
            f"(nothing was warm yet), the last after {reply.total * 1000:.0f} ms."
        )
        self.say("\nAnd one in Anthropic's dialect, gateway -> a built-in Claude:\n")
        claude = Hop("gateway", gateway.base_url, {"x-api-key": self.gateway_token}, f"{ANTHROPIC}/")
        self._shown(MessagesSender(claude), CLAUDE, exact=True)

    def _shown(self, sender: Sender, model: str, *, exact: bool) -> Reply:
        """Print a response as it arrives. Raises CannotStart if it is incomplete, or not the built-in model's text."""
        try:
            reply = sender.ask(model, PROMPT, lambda text: print(text, end="", flush=True))
        finally:
            sender.close()
        print()
        problem = reply.error
        if exact and not problem and reply.text != reply_text(PROMPT):
            problem = "the text is not the one that the model sent"
        if problem:
            raise CannotStart(f"the response arrived incomplete: {problem}\n{self._logs()}")
        return reply

    def _logs(self) -> str:
        return "\n".join(f"{child.name}: {child.last_lines(4)}" for child in self.children)

    def say(self, text: str, style: str = "") -> None:
        """Print as it is: never wrapped (it may be pasted), never read as markup."""
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def show_how_to_use(self) -> None:
        """Lines ready to paste: curl in both dialects, and an SDK."""
        base, model = f"{self.gateway_url}/v1", f"{BRIDGE}/{self.model}"
        messages = [{"role": "user", "content": PROMPT}]
        chat = json.dumps({"model": model, "stream": True, "messages": messages})
        claude = json.dumps({"model": f"{ANTHROPIC}/{CLAUDE}", "max_tokens": 1000, "messages": messages})
        json_type = "-H 'Content-Type: application/json'"
        self.say("\nYours to try, from another terminal:\n", "bold")
        self.say(
            f"{local_curl()} -N {base}/chat/completions -H 'Authorization: Bearer {self.gateway_token}' "
            f"{json_type} -d '{chat}'\n"
        )
        self.say(
            f"{local_curl()} {base}/messages -H 'x-api-key: {self.gateway_token}' {json_type} -d '{claude}'\n"
        )
        direct = names_proxy()
        client = ", http_client=DefaultHttpxClient(trust_env=False)" if direct else ""
        self.say(
            f"from openai import {'DefaultHttpxClient, ' if direct else ''}OpenAI\n\n"
            f'client = OpenAI(base_url="{base}", api_key="{self.gateway_token}"{client})\n'
            f'messages = [{{"role": "user", "content": "{PROMPT}"}}]\n'
            f'stream = client.chat.completions.create(model="{model}", messages=messages, stream=True)\n'
            "for chunk in stream:\n"
            '    print(chunk.choices[0].delta.content or "", end="", flush=True)'
        )
        self.say(
            f"\nThe bridge alone is at http://127.0.0.1:{self.bridge_port}/v1: any key, and the model "
            f"without its '{BRIDGE}/'. The gateway's config is {self.folder / 'home/.openclaw/openclaw.json'}"
        )
        self.say("\nWith a provider of your own, after this demo: ./scripts/setup")

    def show_times(self, timings: Sequence[Timing]) -> None:
        """What each hop added: the difference to the one before."""
        self.say("\nThe same streamed request to each hop, in milliseconds\n", "bold")
        self.say("  sent to   first byte    added   fastest    added   whole reply     added")
        before: Timing | None = None
        for timing in timings:
            row = f"  {timing.hop.name:<7}"
            for name, width in (("first_byte", 13), ("fastest", 10), ("total", 15)):
                value: float = getattr(timing, name)
                added = f"{(value - getattr(before, name)) * 1000:+.2f}" if before else ""
                row += f"{value * 1000:>{width}.2f}{added:>9}"
            self.say(row.rstrip())
            before = timing
        self.say(
            f"\nMedians of {timings[0].rounds} requests each, in turn, over kept connections, without pauses "
            "between words, and the fastest.\nThe client is Python too, and all of it shares this machine: "
            "read the differences."
        )


def run(demo: Demo, *, once: bool, ended: threading.Event) -> None:
    """Start everything, show one response, and unless `once`, stay until `ended` is set."""
    demo.say(f"clawgate demo, in {demo.folder}", "bold")
    if demo.builtin:
        demo.say("No OPENAI_API_KEY: the built-in model stands in for OpenAI.")
    else:
        demo.say(f"OPENAI_API_KEY is set: requests go to {demo.openai_url} and cost money (--offline: not).")
    hops = demo.start()
    demo.ask(hops[-1])
    if once:
        return
    if demo.builtin:
        demo.show_times(time_hops(hops, "delay-0", PROMPT))
    demo.show_how_to_use()
    demo.say("\nRunning. Ctrl-C stops all of it.", "bold")
    while not ended.wait(0.25):
        for child in demo.children:
            if reason := child.died():
                raise CannotStart(reason)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--once", action="store_true", help="exit after the first response: 0 if it was complete"
    )
    parser.add_argument(
        "--gateway-port", type=int, default=18789, metavar="PORT", help="18789; 0: any free one"
    )
    parser.add_argument(
        "--bridge-port", type=int, default=18800, metavar="PORT", help="18800; 0: any free one"
    )
    parser.add_argument("--server-port", type=int, default=8089, metavar="PORT", help="8089; 0: any free one")
    parser.add_argument("--offline", action="store_true", help="never OpenAI, even with OPENAI_API_KEY")
    parser.add_argument("--model", help="what to ask for (clawgate-demo; at OpenAI gpt-4o-mini)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; gives the exit code: 0 after Ctrl-C or a whole `--once`, 1 with the reason on stderr."""
    given = options(arguments)
    key = None if given.offline else os.environ.get("OPENAI_API_KEY") or None
    ended = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        # The first one ends the demo wherever it is; while it is cleaning up, further ones change nothing.
        if not ended.is_set():
            ended.set()
            raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the response has characters that not every terminal has
    folder = Path(tempfile.mkdtemp(prefix="clawgate-demo-"))
    demo: Demo | None = None
    code = 0
    try:
        gateway_port = free_port(given.gateway_port, "--gateway-port")
        bridge_port = free_port(given.bridge_port, "--bridge-port")
        server_port = free_port(given.server_port, "--server-port")
        demo = Demo(
            console=Console(),
            folder=folder,
            gateway_port=gateway_port,
            bridge_port=bridge_port,
            server_port=server_port,
            openai_key=key,
            openai_url=(os.environ.get("OPENAI_BASE_URL") or OPENAI).rstrip("/"),
            model=given.model or ("gpt-4o-mini" if key else "clawgate-demo"),
            children=[],
            gateway_token=secrets.token_urlsafe(24),
        )
        run(demo, once=given.once, ended=ended)
    except Interrupted:
        code = INTERRUPTED if given.once else 0
    except (CannotStart, RuntimeError) as problem:
        print(f"clawgate demo: {problem}", file=sys.stderr)
        code = 1
    finally:
        ended.set()
        if demo is not None:
            stop(demo.children[::-1], demo.say)
            if not given.once and code == 0:
                demo.say("\nStopped; nothing is left running.")
        if code == 1 and demo is not None and demo.children:
            print(f"The logs are kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    guard_standard_streams()
    try:
        sys.exit(main())
    except SystemExit as ended:
        flush_and_exit(ended.code)
