import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core import (
    DeclarationError,
    MissingExtra,
    backend_of,
    path_of,
    redacted,
    require,
    scheme_of,
    without_secrets,
)

TABLE = {"json": "json:dumps", "package": "json:loads"}


def test_a_plain_path_is_a_file():
    urls = ("data/x.csv", "C:/x.csv", "S3://b/k", "file:///x")
    assert [scheme_of(url) for url in urls] == ["file", "file", "s3", "file"]


def test_a_backend_comes_from_the_table():
    assert backend_of("json://x", TABLE, group="noria.none") is json.dumps


def test_an_unknown_scheme_names_the_near_one():
    with pytest.raises(DeclarationError) as caught:
        backend_of("pakage://ann:secret@x/y", TABLE, group="noria.none")
    assert "did you mean 'package://'?" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_scheme_that_is_near_to_none_lists_all():
    with pytest.raises(DeclarationError, match="no backend for scheme 'xyzzy://'") as caught:
        backend_of("xyzzy://", TABLE, group="noria.none")
    assert "json://, package://" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@h:1/0", "redis://***@h:1/0"),
        ("https://h/p?token=t", "https://h/p?***"),
        ("data/x.csv", "data/x.csv"),
        ("C:/data/x.csv", "C:/data/x.csv"),
        ("https://h:8080/users/ann@example.org", "https://h:8080/users/ann@example.org"),
        ("https://h/p#access_token=t", "https://h/p"),
        ("https://h/p?a=1#t", "https://h/p?***"),
        ("postgresql://ann:pa/ss@w@h/shop", "postgresql://***@h/shop"),
        ("postgresql://ann:12/34@h/shop", "postgresql://ann:12/34@h/shop"),  # a port, and a path
        ("postgresql://ann:pw", "postgresql://ann:pw"),
        ("jdbc:sqlserver://h;user=ann;password=pw", "jdbc:sqlserver://h;user=ann;password=***"),
        ("host=h password=pw", "host=h password=***"),
    ],
)
def test_secrets_are_not_shown(url, shown):
    assert redacted(url) == shown


def test_a_missing_library_says_what_to_install():
    with pytest.raises(MissingExtra, match="is not installed") as caught:
        require("no_such_library_anywhere", extra="kafka")
    assert caught.value.mend == "install Noria's extra: pip install -e '.[kafka]'"


def test_a_library_that_is_there_is_imported():
    assert require("json", extra="x") is json


def test_a_library_that_lacks_one_of_its_own_is_not_said_to_be_missing(tmp_path, monkeypatch):
    (tmp_path / "half_a_library.py").write_text("import no_such_library_anywhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library_anywhere"):
        require("half_a_library", extra="kafka")


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_user_and_password_is_ever_shown(user, password):
    from urllib.parse import quote

    secret = quote(user, safe="") + ":" + quote(password, safe="")
    shown = redacted(f"postgresql://{secret}@db.example/shop?password={secret}#x")
    assert shown == "postgresql://***@db.example/shop?***"


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_every_folder_can_be_named_by_a_url_as_it_is(names):
    root = Path("/", *names)
    for scheme in ("file", "sqlite", "lmdb"):
        assert path_of(f"{scheme}://{root}") == path_of(f"{scheme}:///{root}") == root


def test_a_url_of_another_machine_is_no_path():
    with pytest.raises(DeclarationError, match="three slashes") as caught:
        path_of("sqlite://ann:secret@data/ledger.db")
    assert "sqlite:///" in caught.value.mend
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("?password=pw&page=2", "?password=***&page=2"),
        ("x?access_token=pw", "x?access_token=***"),
        ("x?client_secret=pw&grant_type=a", "x?client_secret=***&grant_type=a"),
        ("x?X-Amz-Signature=pw&X-Amz-Expires=9", "x?X-Amz-Signature=***&X-Amz-Expires=9"),
        ("x?API_KEY=pw", "x?API_KEY=***"),
        ("x?apikey=p%20w", "x?apikey=***"),
        ("user=ann sslpassword=pw", "user=ann sslpassword=***"),
        (r"password='p\'w' host=h", "password=*** host=h"),
        ("password='never closed", "password=***"),
        (r'{"dsn": "password=p\"w host=h"}', '{"dsn": "password=*** host=h"}'),
        ("Authorization: Bearer pw", "Authorization: Bearer ***"),
        ('{"Authorization": "Basic cHc="}', '{"Authorization": "Basic ***"}'),
        ("X-Api-Key: pw", "X-Api-Key: ***"),
        ("the token of a column", "the token of a column"),
        ('{"token": "string"}', '{"token": "string"}'),
        ("monkey=banana&keys=carrier", "monkey=banana&keys=carrier"),
        ("sig > 3", "sig > 3"),
        ("from a://u:p@h to b://u:p@h", "from a://***@h to b://***@h"),
    ],
)
def test_what_is_secret_by_its_form_is_not_in_a_text(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


@settings(max_examples=30)
@given(st.recursive(st.text() | st.none() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_stays_json(value):
    json.loads(without_secrets(json.dumps(value, ensure_ascii=False)))
    json.loads(without_secrets(json.dumps({"dsn": f"password={value}"})))


def test_a_long_text_takes_no_long_time():
    for piece in ("a_", "://", "password=", "://a:b", "'", "\\", "token=' "):
        without_secrets(piece * 20_000)
