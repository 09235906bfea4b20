"""The plugin `owl` in front of a real server behind a real nginx: each way to configure it, and what leaves by it."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.certificates import Authority
from tests.e2e.inference_stand import (
    BASIC,
    HEADER,
    MODEL,
    PASSWORD,
    TOKEN,
    USER,
    Front,
    gateway_process,
    llama_server,
    needs_server,
    nginx_front,
)
from tests.e2e.test_inference_server import asked, streamed
from tests.e2e.waiting import poll

pytestmark = needs_server

PRIVATE = {"allowPrivateNetwork": True}

_LOG = (
    "log_format held '$status|$http_authorization|$http_x_inference_key|$http_x_api_key|$http_cookie|"
    "$http_x_proxy_token'; access_log {}/held.log held;"
)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Front]]:
    folder = tmp_path_factory.mktemp("fronts")
    authority = Authority(folder, "private-ca")
    with llama_server(folder / "llama") as server:
        upstream = server.url

        def front(name: str, guard: str, **more: Any) -> Any:
            return nginx_front(folder / name, upstream, guard, http=_LOG.format(folder / name), **more)

        with (
            front("none", "none") as none,
            front("basic", "basic") as basic,
            front("bearer", "bearer") as bearer,
            front("header", "header") as header,
            front("tls", "basic", authority=authority) as tls,
        ):
            yield {"none": none, "basic": basic, "bearer": bearer, "header": header, "tls": tls}


WAYS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "no credential": ("none", {"baseUrl": "{}/v1"}, {}),
    "user and password": ("basic", {"baseUrl": "{}/v1", "username": USER, "password": PASSWORD}, {}),
    "base64": ("basic", {"baseUrl": "{}/v1", "auth": "basic", "apiKey": BASIC}, {}),
    "a reference": (
        "basic", {"baseUrl": "{}/v1", "username": USER, "password": "${MY_PASSWORD}"}, {"MY_PASSWORD": PASSWORD},
    ),
    "the URL of a request": ("bearer", {"baseUrl": "{}/v1/chat/completions", "apiKey": TOKEN}, {}),
    "header": (
        "header", {"baseUrl": "{}", "auth": "header", "headerName": HEADER, "apiKey": TOKEN}, {},
    ),
    "TLS": ("tls", {"baseUrl": "{}/v1", "apiKey": f"{USER}:{PASSWORD}", "caFile": "{CA}"}, {}),
    "variables": (
        "basic", {}, {"OWL_BASE_URL": "{}/v1", "OWL_USERNAME": USER, "OWL_PASSWORD": PASSWORD},
    ),
    "OWL_API_KEY in base64": ("basic", {}, {"OWL_BASE_URL": "{}/v1", "OWL_API_KEY": BASIC}),
    "OWL_API_KEY as a token": ("bearer", {}, {"OWL_BASE_URL": "{}/v1", "OWL_API_KEY": TOKEN}),
}  # fmt: skip
"""Each way to configure it: the front, the settings of the plugin, the variables; {} is the address of the front."""
LEAVES = {
    "none": "-|-|-|-|-",
    "basic": f"Basic {BASIC}|-|-|-|-",
    "tls": f"Basic {BASIC}|-|-|-|-",
    "bearer": f"Bearer {TOKEN}|-|-|-|-",
    "header": f"-|{TOKEN}|-|-|-",
}
"""What nginx sees in the headers that could hold a credential."""


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_configure_it_works_and_exactly_one_credential_leaves(
    way: str, fronts: dict[str, Front], tmp_path: Path
) -> None:
    guard, config, variables = WAYS[way]
    front = fronts[guard]
    held = front.folder / "held.log"
    places = {"{}": front.url, "{CA}": str(front.folder.parent / "private-ca.pem")}

    def placed(texts: Mapping[str, str]) -> dict[str, Any]:
        return {
            key: functools.reduce(lambda text, place: text.replace(place, places[place]), places, text)
            for key, text in texts.items()
        }

    start = len(held.read_text().splitlines())
    entry = {"plugins": {"entries": {"owl": {"enabled": True, "config": placed(config) | PRIVATE}}}}
    with gateway_process(tmp_path / "gateway", {}, variables=placed(variables), more=entry) as gateway:
        with gateway.client() as client:
            text = asked(client, f"owl/{MODEL}", extra_headers={"Cookie": "a=b", HEADER: "of-the-client"})
            assert text.choices[0].message.content == streamed(client, f"owl/{MODEL}")[0]
        for secret in (PASSWORD, BASIC, TOKEN, base64.b64decode(BASIC).decode()):
            assert secret not in gateway.output
    poll(lambda: len(held.read_text().splitlines()) >= start + 2, "nginx to log both requests")
    lines = held.read_text().splitlines()[start:]
    assert {line.partition("|")[2] for line in lines} == {LEAVES[guard]}


def test_a_broken_owl_does_not_stop_the_gateway_and_says_what_is_wrong(
    fronts: dict[str, Front], tmp_path: Path
) -> None:
    """Its authority is no file, or its address is never dialled: the other provider works."""
    other = {
        "other": {
            "baseUrl": f"{fronts['none'].url}/v1",
            "api": "openai-completions",
            "request": {"allowPrivateNetwork": True},
            "models": [{"id": MODEL, "name": MODEL}],
        }
    }
    for number, config in enumerate(
        (
            {"baseUrl": "https://10.0.0.5/v1", "caFile": "/nowhere.pem"},
            {"baseUrl": "http://169.254.169.254/v1", "allowPrivateNetwork": True},
        )
    ):
        entry = {"plugins": {"entries": {"owl": {"enabled": True, "config": config}}}}
        with (
            gateway_process(tmp_path / str(number), other, more=entry) as gateway,
            gateway.client() as client,
        ):
            assert asked(client, f"other/{MODEL}").choices
            with pytest.raises(openai.APIStatusError, match=r"owl|169") as caught:
                asked(client, f"owl/{MODEL}")
            assert caught.value.status_code in (403, 503)
