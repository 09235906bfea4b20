"""What is asked to set up a provider that is no plugin's: openai, anthropic, or any server that speaks like them?

It has the shape of a plugin's provider, so that one wizard serves all. The block that it makes holds what was there
before, but for what was answered; what the block means is `providers.catalog`'s alone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from clawgate.cli.auth.wizard.connection_check import try_block
from clawgate.cli.auth.wizard.credential_block import (
    KINDS,
    basic_written,
    credential_of,
    why_no_basic,
    with_credential,
)
from clawgate.plugins.api import PluginError
from clawgate.plugins.api.provider import CheckResult, ConfigChange, Dialect
from clawgate.plugins.api.questions import Answers, Choice, Question
from clawgate.plugins.api.service import SetupContext
from clawgate.policy.egress import Reason
from clawgate.providers.catalog import BUILT_IN, SUPPORTED_APIS
from clawgate.providers.endpoint import address_kind, endpoint_of
from clawgate.settings.key_path import KeyPath
from clawgate.wire.http.url import Origin, parse_url

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 section 5.6.2
_NO_HEADERS = frozenset({"cookie", "proxy-authorization", "host", "content-length", "content-type"})
_ABOUT_SECRETS = "A reference such as ${NAME} keeps it out of the file."
_DIALECTS = {
    "openai-completions": "OpenAI's chat completions; most servers",
    "openai-responses": "OpenAI's responses",
    "anthropic-messages": "Anthropic's messages",
}


class OwnProvider:
    """One such provider. ``id`` is "" for one that does not exist yet; then it is asked for.

    ``block`` is what stands in the config already, with its references; ``taken`` are the ids of others.
    """

    def __init__(self, id: str, block: Mapping[str, Any], taken: Collection[str] = ()) -> None:  # noqa: A002  # OpenClaw's word for it
        self.id = id
        self._block = block
        self._taken = taken
        self._own = BUILT_IN.get(id)
        self._seen: tuple[Mapping[str, object], CheckResult] | None = None

    @property
    def label(self) -> str:
        return {"openai": "OpenAI", "anthropic": "Anthropic"}.get(self.id, self.id or "another server")

    @property
    def dialect(self) -> Dialect:
        return "anthropic-messages" if self._api(Answers()) == "anthropic-messages" else "openai-completions"

    def previous_answers(self, config: Mapping[str, Any]) -> Answers:
        """The block as answers; a secret as it stands there."""
        block = self._block
        found: dict[str, str] = {}
        for name, key in (("base_url", "baseUrl"), ("dialect", "api")):
            if isinstance(block.get(key), str):
                found[name] = block[key]
        held = credential_of(block)
        if held is not None:
            secret = "login" if held.kind == "basic" and self._own is None else "key"
            found |= {"auth": held.kind, "header": held.header, secret: held.secret}
        elif block and self._own is None:
            found["auth"] = "none"
        request = block.get("request")
        if isinstance(request, dict) and isinstance(request.get("allowPrivateNetwork"), bool):
            found["private_network"] = "yes" if request["allowPrivateNetwork"] else "no"
        found["models"] = ", ".join(entry["id"] for entry in _entries(block))
        return Answers({name: text for name, text in found.items() if text})

    def questions(self, previous: Answers, environment: Mapping[str, str]) -> Sequence[Question]:
        own = self._own
        asked: list[Question] = []
        if not self.id:
            asked.append(
                Question(
                    name="id",
                    text="Name of the provider",
                    help="A short name; requests ask for name/model.",
                    check=self._why_no_id,
                )
            )
        asked.append(
            Question(
                name="base_url",
                text="Base URL",
                kind="url",
                help="Where its API is, with /v1 if it has that.",
                default=own.base_url if own else "",
                check=self._why_no_place,
            )
        )
        if own is None:
            asked += [
                Question(
                    name="dialect",
                    text="Dialect",
                    kind="choice",
                    default=SUPPORTED_APIS[0],
                    options=tuple(Choice(api, _DIALECTS[api]) for api in SUPPORTED_APIS),
                ),
                Question(
                    name="auth",
                    text="Credential",
                    kind="choice",
                    default="bearer",
                    options=tuple(Choice(kind, label) for kind, label in KINDS.items()),
                ),
                Question(
                    name="header",
                    text="Name of the header",
                    default="X-Proxy-Token",
                    check=_why_no_header,
                    when=lambda answers: answers.text("auth") == "header",
                ),
            ]
        return (*asked, *self._about_access())

    def _about_access(self) -> Sequence[Question]:
        own = self._own
        return (
            *self._about_key(),
            *(self._about_login() if own is None else ()),
            *self._about_network(),
            Question(
                name="models",
                text="Models, with commas between them",
                kind="list",
                help="The models to list. Others can be asked for all the same, as provider/model.",
                required=False,
                check=_why_no_models,
                choices=self._offered,
            ),
        )

    def _about_key(self) -> Sequence[Question]:
        """The variable of a built-in belongs to its own place, and is offered for no other."""
        own = self._own
        variable = own.variable if own else re.sub(r"[^A-Z0-9]", "_", self.id.upper()) + "_API_KEY"
        named = bool(self.id) and not variable[0].isdigit()

        def wanted(at_home: bool) -> Callable[[Answers], bool]:
            def when(answers: Answers) -> bool:
                home = own is None or _origin(answers) == parse_url(own.base_url)[0]
                return home is at_home and answers.text("auth") not in ("none", "basic")

            return when

        return [
            Question(
                name="key",
                text="API key" if own else "Secret",
                kind="secret",
                help=_ABOUT_SECRETS,
                variables=(variable,) if named and at_home else (),
                when=wanted(at_home),
            )
            for at_home in ((True, False) if own else (True,))
        ]

    @staticmethod
    def _about_login() -> Sequence[Question]:
        return [
            Question(
                name="login",
                text="User and password, as user:password",
                kind="secret",
                help=_ABOUT_SECRETS,
                check=why_no_basic,
                when=lambda answers: answers.text("auth") == "basic",
            )
        ]

    def _about_network(self) -> Sequence[Question]:
        """Of an address that is private it has to be said; a name is taken for a public one unless it is said."""

        def of_kind(*kinds: Reason) -> Callable[[Answers], bool]:
            return lambda answers: self._place_kind(answers) in kinds

        return [
            Question(
                name="private_network",
                text="May it have a loopback or private address?",
                kind="confirm",
                help="Such addresses are not dialled unless you allow it for this provider.",
                default=default,
                when=when,
            )
            for when, default in (
                (of_kind(Reason.LOOPBACK, Reason.PRIVATE), ""),
                (of_kind(Reason.NOT_AN_ADDRESS), "no"),
            )
        ]

    def _why_no_id(self, text: str) -> str | None:
        if not _ID.match(text):
            return "is made of a-z 0-9 . _ -, and begins with a letter or digit"
        if text in self._taken:
            return f"{text} is there already; to change it: clawgate models auth edit --provider {text}"
        return None

    def _why_no_place(self, text: str) -> str | None:
        return endpoint_of(text, "openai-completions", "it", {})[2]

    def _place_kind(self, answers: Answers) -> Reason:
        """What is known of the place before it is dialled; a built-in's own is public."""
        origin = _origin(answers)
        if origin is None or (self._own is not None and origin == parse_url(self._own.base_url)[0]):
            return Reason.PUBLIC
        return address_kind(origin)

    def _api(self, answers: Answers) -> str:
        return answers.text("dialect") or (self._own.api if self._own else "openai-completions")

    async def _offered(self, answers: Answers, context: SetupContext) -> Sequence[Choice]:
        found = await self.check_connection(answers, context)
        if not found.ok:
            raise PluginError(found.message)
        return [Choice(model) for model in found.models]

    async def check_connection(self, answers: Answers, context: SetupContext) -> CheckResult:
        """Ask for its models, by the way that requests will take. The same block is not tried twice."""
        block = dict(self.config_change(answers).provider)
        block.pop("models", None)
        if self._seen is None or self._seen[0] != block:
            self._seen = block, await try_block(answers.text("id") or self.id, block, context.environment)
        return self._seen[1]

    def config_change(self, answers: Answers) -> ConfigChange:
        name = answers.text("id") or self.id
        block: dict[str, Any] = copy.deepcopy(dict(self._block))
        block["baseUrl"] = answers.text("base_url")
        block["api"] = self._api(answers)
        kind = answers.text("auth") or self._kind()
        secret = basic_written(answers.text("login")) if kind == "basic" else answers.text("key")
        block = with_credential(block, kind, answers.text("header"), secret)
        _allow_private(block, answers)
        models = answers.words("models")
        known = {entry["id"]: entry for entry in _entries(self._block)}
        block["models"] = [known.get(model, {"id": model, "name": model}) for model in models]
        return ConfigChange(
            plugin_config={}, provider=block, default_model=f"{name}/{models[0]}" if models else None
        )

    def _kind(self) -> str:
        """Of a built-in nobody is asked: its own, unless the config has another."""
        held = credential_of(self._block)
        if held is not None and held.kind in ("bearer", "x-api-key"):
            return held.kind
        return "x-api-key" if self._api(Answers()) == "anthropic-messages" else "bearer"

    def owned_paths(self, config: Mapping[str, Any]) -> Sequence[KeyPath]:
        return (("models", "providers", self.id),)


def _origin(answers: Answers) -> Origin | None:
    """None for what is no URL: its own question says what is wrong."""
    try:
        return parse_url(answers.text("base_url"))[0]
    except ValueError:
        return None


def _entries(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    models = block.get("models")
    return [
        entry
        for entry in (models if isinstance(models, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]


def _why_no_header(text: str) -> str | None:
    if not _HEADER_NAME.match(text):
        return "holds a character that cannot stand in the name of a header"
    return "is not for a credential" if text.lower() in _NO_HEADERS else None


def _why_no_models(text: str) -> str | None:
    for word in Answers({"it": text}).words("it"):
        if not word.isprintable() or " " in word or word[0] == "/" or len(word) > 200:
            return f"{word[:60]!r} is no model id"
    return None


def _allow_private(block: dict[str, Any], answers: Answers) -> None:
    """Only a yes is written; where nobody had to be asked, nothing is left of an earlier one."""
    request = dict(block["request"]) if isinstance(block.get("request"), dict) else {}
    request.pop("allowPrivateNetwork", None)
    if answers.confirmed("private_network"):
        request["allowPrivateNetwork"] = True
    block.pop("request", None)
    if request:
        block["request"] = request
