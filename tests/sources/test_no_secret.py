"""No error shows a password of a URL, and what a server repeats of a secret is masked in each way to write it."""

import base64
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest

from noria.core import MissingExtra, NoriaError
from noria.declarations import Source
from noria.sources import Ask, read
from noria.sources.rest_client import RestClient
from noria.sources.retry import retried


@pytest.mark.parametrize("url", [
    "s3://k:hunter2@b/x.csv", "s3://k:hun/ter2@b/x.csv", "s3://k:hunter2@/x.csv", "s3://k:hunter2@b",
    "gs://k:hunter2@b/x.csv", "az://k:hunter2@b/x.csv", "hdfs://k:hunter2@b/x.csv", "sftp://k:hunter2@b/x.csv",
    "sftp://k:hun/ter2@b/x.csv", "ftp://k:hunter2@b/x.csv", "http://k:hunter2@127.0.0.1:1/x.csv",
])  # fmt: skip
def test_a_password_in_a_url_is_not_shown(tmp_path, url):
    with pytest.raises(NoriaError) as caught:
        read(Source("x", url, tries=1), tmp_path)
    for form in ("hunter2", "hun/", "ter2", "k:hun"):
        assert form not in str(caught.value)


def _forms(secret):
    yield secret
    yield quote(secret, safe="")
    yield quote(secret, safe="").replace("%2F", "%2f")
    yield quote_plus(secret)
    yield quote(secret)
    yield "".join(f"%{byte:02x}" for byte in secret.encode())
    for user in ("", "a:", "ab:", "ann:", "ünal@example.org:"):
        packed = base64.b64encode(f"{user}{secret}".encode()).decode()
        yield packed
        yield packed.rstrip("=")
        yield quote(packed, safe="")
        yield base64.urlsafe_b64encode(f"{user}{secret}".encode()).decode()


@pytest.mark.parametrize("secret", ["hunter2-word", "hunter2/&+ x", "pässwort?>~"])
def test_what_a_server_repeats_is_masked(secret):
    ask = Ask(Source("x", "https://shop.example/x.csv"), Path())
    with RestClient(ask, "https://shop.example", most_bytes=1000) as client:
        client._secrets.append(secret)
        for form in _forms(secret):
            for said in (f"bad sign-in Basic {form}!", f'{{"sent": "{form}"}}', f"key={form}"):
                assert form.rstrip("=") not in client.safe(said.encode()), said
        assert client.safe(b"there is no order 4711 in table sales_orders") == (
            "there is no order 4711 in table sales_orders"
        )


def test_what_is_missing_names_the_extra_of_the_source(monkeypatch):
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(MissingExtra, match=r"pip install -e '\.\[sql\]'"):
        retried(lambda: SimpleNamespace(), tries=1, extra="sql")
