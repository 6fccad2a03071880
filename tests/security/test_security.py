import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import DeclarationError, IntegrityError
from noria.security import (
    ApiKeys,
    SigningKey,
    copy_signing_key,
    current_actor,
    host_allowed,
    public_key,
    verify,
)


def test_a_key_is_known_by_its_label_and_kept_as_a_hash(tmp_path):
    path = tmp_path / "keys" / "api-keys.json"
    key = ApiKeys(path).create("shop")
    keys = ApiKeys(path)
    assert keys.labels() == ("shop",)
    assert len(keys) == 1
    assert keys.holder(key) == "shop"
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.text())
def test_no_other_text_is_a_key(tmp_path_factory, text):
    keys = ApiKeys(tmp_path_factory.getbasetemp() / "api-keys-any.json")
    if not len(keys):
        keys.create("shop")
    assert keys.holder(text) is None


def test_a_revoked_key_is_forgotten(tmp_path):
    keys = ApiKeys(tmp_path / "api-keys.json")
    one, two = keys.create("one"), keys.create("two")
    keys.revoke("one")
    again = ApiKeys(tmp_path / "api-keys.json")
    assert (again.holder(one), again.holder(two)) == (None, "two")


def test_labels_are_not_given_twice_and_must_be_known(tmp_path):
    keys = ApiKeys(tmp_path / "api-keys.json")
    keys.create("one")
    with pytest.raises(DeclarationError, match="there is a key"):
        keys.create("one")
    with pytest.raises(DeclarationError, match="no key of that label"):
        keys.revoke("two")


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '"x"', "\x00"])
def test_a_broken_file_of_keys_is_refused(tmp_path, text):
    (tmp_path / "api-keys.json").write_text(text)
    with pytest.raises(IntegrityError, match="API keys"):
        ApiKeys(tmp_path / "api-keys.json")


def test_processes_that_make_keys_at_once_lose_none(tmp_path):
    code = "import sys; from pathlib import Path; from noria.security import ApiKeys\n"
    code += "for n in range(10): ApiKeys(Path(sys.argv[1])).create(f'{sys.argv[2]}-{n}')"
    path = tmp_path / "api-keys.json"
    makers = [subprocess.Popen([sys.executable, "-c", code, path, f"p{number}"]) for number in range(3)]
    assert [maker.wait(60) for maker in makers] == [0, 0, 0]
    assert len(ApiKeys(path)) == 30


def test_a_signature_is_of_these_bytes_by_this_key(tmp_path):
    key = SigningKey.load_or_create(tmp_path / "keys")
    again = SigningKey.load_or_create(tmp_path / "keys")
    assert again.public == key.public
    verify(key.public, again.sign(b"data"), b"data")
    other = SigningKey.load_or_create(tmp_path / "other")
    for public, signature, data in [
        (key.public, key.sign(b"data"), b"date"),
        (other.public, key.sign(b"data"), b"data"),
        (key.public, b"", b"data"),
        (b"short", key.sign(b"data"), b"data"),
    ]:
        with pytest.raises(IntegrityError):
            verify(public, signature, data)


def test_a_private_key_does_not_show_itself(tmp_path):
    key = SigningKey.load_or_create(tmp_path)
    raw = (tmp_path / "signing.key").read_bytes()
    assert raw.hex() not in repr(key)
    assert str(raw) not in repr(key)
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_file_that_is_no_key_is_refused(tmp_path, size):
    (tmp_path / "signing.key").write_bytes(bytes(size))
    with pytest.raises(IntegrityError, match="not a key"):
        SigningKey.load_or_create(tmp_path)


def test_processes_that_need_a_key_at_once_get_the_same(tmp_path):
    code = "import sys; from pathlib import Path; from noria.security import SigningKey\n"
    code += "print(SigningKey.load_or_create(Path(sys.argv[1])).public.hex())"
    command = [sys.executable, "-c", code, tmp_path / "keys"]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({maker.communicate()[0] for maker in makers}) == 1
    assert [maker.returncode for maker in makers] == [0] * 4
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == ["signing.key", "signing.pub"]


def test_the_public_key_is_enough_to_verify_and_makes_no_private_one(tmp_path):
    key = SigningKey.load_or_create(tmp_path / "signer")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "signing.pub").write_bytes((tmp_path / "signer" / "signing.pub").read_bytes())
    assert public_key(tmp_path / "server") == public_key(tmp_path / "signer") == key.public
    assert [file.name for file in (tmp_path / "server").iterdir()] == ["signing.pub"]


def test_the_public_key_of_an_older_folder_is_made_from_the_private_one(tmp_path):
    key = SigningKey.load_or_create(tmp_path)
    (tmp_path / "signing.pub").unlink()
    assert public_key(tmp_path) == key.public == (tmp_path / "signing.pub").read_bytes()


def test_where_there_is_no_key_none_is_made_to_verify_with(tmp_path):
    with pytest.raises(IntegrityError, match="no key to verify") as caught:
        public_key(tmp_path / "keys")
    assert "noria run" in caught.value.mend
    assert not (tmp_path / "keys").exists()
    (tmp_path / "signing.pub").write_bytes(b"short")
    with pytest.raises(IntegrityError, match="not a key"):
        public_key(tmp_path)


def test_a_public_key_of_another_private_key_is_noticed(tmp_path):
    SigningKey.load_or_create(tmp_path / "a")
    other = SigningKey.load_or_create(tmp_path / "b")
    (tmp_path / "a" / "signing.pub").write_bytes(other.public)
    with pytest.raises(IntegrityError, match="not the public key"):
        SigningKey.load_or_create(tmp_path / "a")


def test_a_copy_of_the_signing_key_has_no_api_keys(tmp_path):
    key = SigningKey.load_or_create(tmp_path / "keys")
    ApiKeys(tmp_path / "keys" / "api.json").create("ann")
    copy_signing_key(tmp_path / "keys", tmp_path / "own")
    assert [file.name for file in (tmp_path / "own").iterdir()] == ["signing.key"]
    assert public_key(tmp_path / "own") == key.public
    with pytest.raises(IntegrityError, match="no signing key"):
        copy_signing_key(tmp_path / "nothing", tmp_path / "own")


HOSTS = ("localhost", "127.0.0.1", "[::1]", "Noria.example")


@pytest.mark.parametrize("header", [
    "localhost", "LOCALHOST:80", "localhost.", "localhost.:8080", "127.0.0.1:1", "[::1]", "[::1]:8080", "noria.example",
])  # fmt: skip
def test_names_that_were_given_are_answered(header):
    assert host_allowed(header, HOSTS)


@pytest.mark.parametrize("header", [
    None, "", ":80", "evil.example", "localhost.evil.example", "evil.example:localhost", "localhost:80:80",
    "localhost:x", "localhost@evil.example", "::1", "[::1]x", "[::1", "127.0.0.1.nip.io", " localhost", "localhost ",
    "localhost:٣", "localhost,evil.example", "localhost/..", "xn--localhost", "localhost..",
])  # fmt: skip
def test_other_names_are_not(header):
    assert not host_allowed(header, HOSTS)


@given(st.text())
def test_no_text_but_a_given_name_is_allowed(header):
    name = header.lower().rpartition(":")[0] or header.lower()
    assert host_allowed(header, ["localhost"]) <= (name.removesuffix(".") == "localhost")


def test_the_actor_is_named_or_the_user(monkeypatch):
    monkeypatch.setenv("NORIA_ACTOR", " ann ")
    assert current_actor() == "ann"
    monkeypatch.setenv("NORIA_ACTOR", " ")
    monkeypatch.setenv("LOGNAME", "bob")
    assert current_actor() == "bob"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert current_actor() == f"user {os.getuid()}"
