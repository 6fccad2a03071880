"""The values of secrets: where they are found, what is refused, and that no error shows them."""

import logging
import os
import pickle
import stat
import sys

import pytest

from noria.core import DeclarationError, content_key
from noria.declarations import dump, secret
from noria.security import keep, reveal, secrets
from noria.security.secret_stores import file as files
from noria.security.secret_stores.fields import field_of

VALUE = "hunter2 ☃"


def test_a_declaration_holds_and_hashes_the_reference_alone(monkeypatch):
    one = secret("SHOP_PASSWORD")
    key = content_key(one)
    monkeypatch.setenv("SHOP_PASSWORD", VALUE)
    assert content_key(one) == key
    for form in (repr(one), str(dump(one)), pickle.dumps(one).decode("latin1"), str(hash(one))):
        assert "hunter2" not in form


@pytest.mark.parametrize("reference", ["SHOP_PASSWORD", "env:SHOP_PASSWORD"])
def test_a_variable(monkeypatch, tmp_path, reference):
    monkeypatch.setenv("SHOP_PASSWORD", VALUE)
    assert reveal(secret(reference), tmp_path) == VALUE
    monkeypatch.setenv("SHOP_PASSWORD", "new")
    assert reveal(secret(reference), tmp_path) == "new"
    monkeypatch.setenv("SHOP_PASSWORD", "")
    with pytest.raises(DeclarationError, match="this secret is empty"):
        reveal(secret(reference), tmp_path)
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(DeclarationError, match="set the variable SHOP_PASSWORD"):
        reveal(secret(reference), tmp_path)


@pytest.mark.parametrize("value", ["hunter2!", "sk-hunter2", "hunter2 ☃", "env:sk-hunter2", "hunter2:hunter2", "a=b;c"])
def test_a_value_in_the_place_of_a_reference_is_refused_and_not_shown(tmp_path, value):
    with pytest.raises(DeclarationError) as caught:
        reveal(secret(value), tmp_path)
    assert "hunter2" not in str(caught.value)
    assert __file__ in str(caught.value.place)


def test_a_kind_that_is_misspelt(tmp_path):
    with pytest.raises(DeclarationError, match=r"did you mean 'vault:'\?"):
        reveal(secret("valt:secret/shop#password"), tmp_path)


@pytest.fixture
def kept(tmp_path):
    file = tmp_path / "password"
    file.write_text(VALUE + "\n", encoding="utf-8")
    file.chmod(0o600)
    return file


def test_a_file_beside_the_project_or_anywhere(tmp_path, kept):
    assert reveal(secret("file:password"), tmp_path) == reveal(secret(f"file:{kept}"), tmp_path / "other") == VALUE
    kept.write_bytes(b"two\r\nlines\r\n")
    assert reveal(secret("file:password"), tmp_path) == "two\r\nlines"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o666, 0o755])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path, kept, mode):
    kept.chmod(mode)
    with pytest.raises(DeclarationError, match="others may read or change this secret") as caught:
        reveal(secret("file:password"), tmp_path)
    assert stat.filemode(stat.S_IFREG | mode) in str(caught.value)
    assert f"chmod 600 {kept}" in str(caught.value)


def test_a_file_of_a_group_is_right_where_root_owns_it_only():
    def status(mode, owner):
        return os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))

    assert not files.open_to_others(status(0o640, 0))
    assert files.open_to_others(status(0o640, 1000))
    assert files.open_to_others(status(0o644, 0))
    assert not files.open_to_others(status(0o400, 1000))


def test_what_is_mounted_for_reading_alone_is_taken_as_it_is(tmp_path, kept, monkeypatch):
    kept.chmod(0o644)
    real = os.fstatvfs
    monkeypatch.setattr(
        files.os, "fstatvfs", lambda opened: type("Mount", (), {"f_flag": real(opened).f_flag | os.ST_RDONLY})
    )
    assert reveal(secret("file:password"), tmp_path) == VALUE


def test_a_link_is_judged_by_what_it_leads_to(tmp_path, kept):
    (tmp_path / "link").symlink_to(kept)
    assert reveal(secret("file:link"), tmp_path) == VALUE
    kept.chmod(0o644)
    with pytest.raises(DeclarationError, match="others may read"):
        reveal(secret("file:link"), tmp_path)


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "binary", "large", "empty"])
def test_what_is_no_file_with_a_secret_is_refused(tmp_path, what):
    path = tmp_path / "password"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path, 0o600)
    elif what != "nothing":
        path.write_bytes({"binary": b"\xff\xfe", "large": b"x" * (files.MOST_BYTES + 1), "empty": b"\n"}[what])
        path.chmod(0o600)
    with pytest.raises(DeclarationError):
        reveal(secret("file:password"), tmp_path)


@pytest.fixture
def keyring(monkeypatch, tmp_path):
    """A real back end of the library, which keeps passwords in a file."""
    import keyring
    from keyrings.alt.file import PlaintextKeyring

    before = keyring.get_keyring()
    own = PlaintextKeyring()
    own.file_path = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(own)
    monkeypatch.setattr(secrets, "_answers", {})
    yield keyring
    keyring.set_keyring(before)


def test_a_keyring(keyring, tmp_path):
    keyring.set_password("shop/eu", "ann", VALUE)
    assert reveal(secret("keyring:shop/eu/ann"), tmp_path) == VALUE
    with pytest.raises(DeclarationError, match="no such secret") as caught:
        reveal(secret("keyring:shop/eu/bob"), tmp_path)
    assert caught.value.mend == "keyring set shop/eu bob"
    for wrong in ("keyring:shop", "keyring:/ann", "keyring:shop/"):
        with pytest.raises(DeclarationError, match="services and users"):
            reveal(secret(wrong), tmp_path)


def test_what_a_keyring_gave_is_kept_in_memory_for_a_minute(keyring, tmp_path, monkeypatch):
    keyring.set_password("shop", "ann", "old")
    now = [1000.0]
    monkeypatch.setattr(secrets.time, "monotonic", lambda: now[0])
    one = secret("keyring:shop/ann")
    assert reveal(one, tmp_path) == "old"
    keyring.set_password("shop", "ann", "new")
    assert reveal(one, tmp_path) == "old"
    secrets.forget(one, tmp_path)
    assert reveal(one, tmp_path) == "new"
    keyring.set_password("shop", "ann", "newer")
    now[0] += secrets.FRESH + 1
    assert reveal(one, tmp_path) == "newer"


def test_where_there_is_no_keyring_the_error_says_so(tmp_path, monkeypatch):
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_password", Keyring().get_password)
    with pytest.raises(DeclarationError, match="the keyring does not answer"):
        reveal(secret("keyring:nowhere/ann"), tmp_path)


def test_a_field_of_several():
    assert field_of({"password": "a", "user": "b"}, "password", "vault:x/y") == "a"
    assert field_of({"pin": 42}, "", "vault:x/y") == "42"
    for held, field in (
        ({"a": "x", "b": "y"}, ""),
        ({"a": "x"}, "b"),
        ({}, ""),
        ({"a": None}, "a"),
        ({"a": True}, "a"),
    ):
        with pytest.raises(DeclarationError) as caught:
            field_of(held, field, "vault:x/y")
        assert "vault:x/y" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "refused"),
    [("http://vault.example:8200", "in the clear"), ("", "where the vault is"), ("vault:8200", "in the clear"),
     ("http://localhost.example", "in the clear"), ("http://ann:hunter2@vault", "in the clear")],
)  # fmt: skip
def test_no_vault_is_asked_in_the_clear(tmp_path, monkeypatch, address, refused):
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "BAO_ADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_TOKEN", VALUE)
    monkeypatch.setenv("VAULT_ADDR", address)
    with pytest.raises(DeclarationError, match=refused) as caught:
        reveal(secret("vault:secret/shop#password"), tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("reference", ["vault:secret", "vault:secret/", "vault:", "vault:secret/../sys/mounts#x"])
def test_a_vault_has_mounts_and_paths(tmp_path, reference, monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    with pytest.raises(DeclarationError, match="mounts and paths"):
        reveal(secret(reference), tmp_path)


def test_nothing_heavy_is_imported_for_a_variable_or_a_file():
    import subprocess

    code = (
        "import os, sys, pathlib; os.environ['A'] = 'x'; from noria.security import reveal; "
        "from noria.declarations import secret; reveal(secret('A'), pathlib.Path('.')); "
        "sys.exit(any(name in sys.modules for name in ('boto3', 'keyring', 'httpx2', 'msgspec')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert logging.getLogger("botocore").level != logging.WARNING


def test_a_secret_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path, kept, monkeypatch):
    def full(opened):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(DeclarationError, match="the new one cannot be kept there"):
        keep(secret("file:password"), "another", tmp_path)
    monkeypatch.undo()
    assert reveal(secret("file:password"), tmp_path) == VALUE
    assert list(tmp_path.iterdir()) == [kept]
