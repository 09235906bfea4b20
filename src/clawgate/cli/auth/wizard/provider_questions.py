"""The questions that set up a provider without a plugin, as a table: openai, anthropic, or any compatible server.

What differs per provider (its name, its default address, its variable) is filled in by `provider_questions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clawgate.cli.auth.wizard.credential_block import KINDS, basic_problem
from clawgate.plugins.api.questions import Answers, Choice, Choices, Question
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import PRIVATE_KINDS, AddressKind
from clawgate.providers.built_in import SUPPORTED_APIS, BuiltIn
from clawgate.providers.endpoint import never_dialled
from clawgate.providers.provider import Provider
from clawgate.settings.fields import BaseUrl
from clawgate.settings.secrets import basic_login, login_problem
from clawgate.wire.http.base_url import base_url
from clawgate.wire.http.header import is_header_name
from clawgate.wire.http.url import Origin, parse_url

_NOT_FOR_CREDENTIALS = frozenset({"cookie", "proxy-authorization", "host", "content-length", "content-type"})
_MAX_MODEL_ID = 200
PEM = "-----BEGIN CERTIFICATE-----"
_SECRET_HELP = "A reference such as ${NAME} keeps the secret out of the file."
_DIALECTS = {
    "openai-completions": "OpenAI's chat completions; most servers",
    "openai-responses": "OpenAI's responses",
    "anthropic-messages": "Anthropic's messages",
}


def _header_problem(text: str) -> str | None:
    if not is_header_name(text):
        return "is not a valid header name"
    return "is not a header for a credential" if text.lower() in _NOT_FOR_CREDENTIALS else None


def _models_problem(text: str) -> str | None:
    for word in Answers({"_": text}).words("_"):
        if not word.isprintable() or " " in word or word[0] == "/" or len(word) > _MAX_MODEL_ID:
            return f"{word[:60]!r} is not a model id"
    return None


def _base_url_problem(text: str) -> str | None:
    try:
        url = BaseUrl.parse(text)
    except ValueError as error:
        return str(error)
    refused = never_dialled(Provider(id="it", api=SUPPORTED_APIS[0], origin=url.origin))
    return None if refused is None else refused.message


class _CredentialQuestion(Question):
    """Of a server that may need none."""

    def problem(self, answer: str) -> str | None:
        problem = super().problem(answer)
        if problem is None or answer.strip():
            return problem
        return f"{problem}; if the server needs no credential: --auth none"


class _LoginQuestion(_CredentialQuestion):
    """``user:password`` in a header is base64, so it may have blanks and any letter (RFC 7617)."""

    def _kind_problem(self, answer: str) -> str | None:
        return login_problem(answer)


def _user_name_problem(text: str) -> str | None:
    return "may not have a colon: Basic ends the name there" if ":" in text else login_problem(text)


def _ca_problem(text: str) -> str | None:
    try:
        is_certificate = PEM in Path(text).read_text("ascii")
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or 'it is not a PEM file'}"
    return None if is_certificate else f"is not a PEM file: it has no {PEM}"


_ID = Question(
    name="id", text="Name of the provider", help="A short name; a request names its models as name/model."
)
_BASE_URL = Question(
    name="base_url",
    text="Base URL",
    kind="url",
    help="The address of its API; that of a request to it will do.",
    check=_base_url_problem,
    normalize=base_url,
)
_DIALECT = Question(
    name="dialect",
    text="Dialect",
    kind="choice",
    default=SUPPORTED_APIS[0],
    options=tuple(Choice(api, _DIALECTS[api]) for api in SUPPORTED_APIS),
)
_AUTH = Question(
    name="auth",
    text="Credential",
    kind="choice",
    default="bearer",
    options=tuple(Choice(kind, label) for kind, label in KINDS.items()),
)
_HEADER = Question(
    name="header",
    text="Name of the header",
    default="X-Proxy-Token",
    check=_header_problem,
    when=lambda answers: answers.text("auth") == "header",
)
_KEY = _CredentialQuestion(name="key", text="Secret", kind="secret", help=_SECRET_HELP)
_API_KEY = Question(name="key", text="API key", kind="secret", help=_SECRET_HELP)
_LOGIN = _LoginQuestion(
    name="login",
    text="User and password, as user:password",
    kind="secret",
    help=f"{_SECRET_HELP} OpenClaw needs its variable in base64.",
    check=basic_problem,
    keeps_blanks=True,
    when=lambda answers: answers.text("auth") == "basic" and not answers.text("username"),
)
_USERNAME = Question(
    name="username",
    text="User name",
    help="Enter alone: user and password at once, as user:password, in base64 or as a reference.",
    check=_user_name_problem,
    required=False,
    when=lambda answers: answers.text("auth") == "basic",
)
_PASSWORD = _LoginQuestion(
    name="password",
    text="Password",
    kind="secret",
    keeps_blanks=True,
    is_written=True,
    when=lambda answers: answers.text("auth") == "basic" and bool(answers.text("username")),
)
_CA_FILE = Question(
    name="ca_file",
    text="File of the authority (PEM)",
    help="The authority that signed the certificate of the server; its text is put into the config.",
    required=False,
    on_demand=True,
    check=_ca_problem,
    normalize=lambda text: str(Path(text).expanduser().absolute()),
    when=lambda answers: answers.text("base_url").startswith("https://"),
)
_PRIVATE_NETWORK = Question(
    name="private_network",
    text="Allow a loopback or private address?",
    kind="confirm",
    help="Loopback and private addresses are blocked unless you allow them for a provider.",
)
_MODELS = Question(
    name="models",
    text="Models, separated by commas",
    kind="list",
    help="The models to list. A request may also name others, as provider/model.",
    required=False,
    check=_models_problem,
)


def provider_questions(
    provider_id: str,
    built_in: BuiltIn | None,
    *,
    id_problem: Callable[[str], str | None],
    models: Choices,
    environment: Mapping[str, str] | None = None,
) -> Sequence[Question]:
    """Return the questions in their order; ``provider_id`` is "" for a provider that has no name yet."""
    variables = _variables(provider_id) if built_in is None else {}
    return (
        *(() if provider_id else (replace(_ID, check=id_problem),)),
        replace(
            _BASE_URL, default=built_in.base_url if built_in else "", variables=variables.get("BASE_URL", ())
        ),
        *(() if built_in else (_DIALECT, _auth_question(variables, environment or {}), _HEADER)),
        *_key_questions(variables.get("API_KEY", ()), built_in),
        *(() if built_in else _login_questions(variables)),
        *_private_network_questions(built_in),
        *(() if built_in else (_CA_FILE,)),
        replace(_MODELS, choices=models),
    )


def _variables(provider_id: str) -> Mapping[str, tuple[str, ...]]:
    """Return the variables of a provider by what they hold; none for an id that cannot begin a name."""
    prefix = re.sub(r"[^A-Z0-9]", "_", provider_id.upper())
    if not prefix or prefix[0].isdigit():
        return {}
    return {name: (f"{prefix}_{name}",) for name in ("BASE_URL", "API_KEY", "USERNAME", "PASSWORD")}


def _auth_question(variables: Mapping[str, tuple[str, ...]], environment: Mapping[str, str]) -> Question:
    """Return the question for the kind of credential; what a variable holds may be of one kind alone."""
    for name in (*variables.get("USERNAME", ()), *variables.get("API_KEY", ())):
        value = environment.get(name, "")
        if name in variables["USERNAME"] and value:
            reason = f"{name} is set, so the default is basic."
            return replace(_AUTH, default="basic", help=reason, superseded_by=(name,))
        if basic_login(value) is not None:
            reason = f"{name} is user:password, or that in base64, so the default is basic."
            return replace(_AUTH, default="basic", help=reason)
    return _AUTH


def _login_questions(variables: Mapping[str, tuple[str, ...]]) -> Sequence[Question]:
    both = variables.get("API_KEY", ())
    return (
        replace(_USERNAME, variables=variables.get("USERNAME", ()), superseded_by=both),
        replace(_PASSWORD, variables=variables.get("PASSWORD", ()), superseded_by=both),
        replace(_LOGIN, variables=both),
    )


def _key_questions(variables: tuple[str, ...], built_in: BuiltIn | None) -> Sequence[Question]:
    """Return the question for the key; of a built-in twice: its variable counts only for its own address."""
    if built_in is None:
        return [replace(_KEY, variables=variables, when=_has_key)]

    def at_home(answers: Answers) -> bool:
        return origin_of(answers) == parse_url(built_in.base_url)[0]

    return [
        replace(
            _API_KEY,
            variables=(built_in.variable,),
            when=lambda answers: at_home(answers) and _has_key(answers),
        ),
        replace(_API_KEY, when=lambda answers: not at_home(answers) and _has_key(answers)),
    ]


def _has_key(answers: Answers) -> bool:
    return answers.text("auth") not in ("none", "basic")


def _private_network_questions(built_in: BuiltIn | None) -> Sequence[Question]:
    """Return two: a private address needs an explicit answer, a host name only where it leads to one."""

    def for_kinds(*kinds: AddressKind) -> Callable[[Answers], bool]:
        return lambda answers: _address_kind(answers, built_in) in kinds

    return [
        replace(_PRIVATE_NETWORK, when=for_kinds(*PRIVATE_KINDS)),
        replace(_PRIVATE_NETWORK, when=for_kinds(AddressKind.NOT_AN_ADDRESS), default="no", on_demand=True),
    ]


def _address_kind(answers: Answers, built_in: BuiltIn | None) -> AddressKind:
    """Return the kind of the address before it is resolved; a built-in's own address is public."""
    origin = origin_of(answers)
    if origin is None or (built_in is not None and origin == parse_url(built_in.base_url)[0]):
        return AddressKind.PUBLIC
    return host_kind(origin.host)


def origin_of(answers: Answers) -> Origin | None:
    """Return the origin of the base URL, None for an invalid one, which its own question reports."""
    try:
        return parse_url(answers.text("base_url"))[0]
    except ValueError:
        return None
