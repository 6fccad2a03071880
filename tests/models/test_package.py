"""A package that is not what was signed is refused, whatever was done to it."""

from __future__ import annotations

import os
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core import IntegrityError
from noria.models.package import FORMAT, Manifest, PackedFile, write_package
from noria.security import SigningKey

FILES = ("manifest.json", "manifest.sig", "model.onnx", "baseline.onnx", "training.json", "evaluation.json", "card.md")


def resigned(folder, key, change):
    """Change the manifest as its owner could, and sign it."""
    path = folder / "manifest.json"
    said = msgspec.json.decode(path.read_bytes())
    change(said)
    data = msgspec.json.encode(said)
    path.write_bytes(data)
    (folder / "manifest.sig").write_bytes(key.sign(data))


def repacked(folder, key, name, data):
    """Replace a file, and sign the package again with the right digests."""
    (folder / name).write_bytes(data)
    said = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    files = {file: (folder / file).read_bytes() for file in said.files}
    return write_package(folder.parent / "again", said, files, key)


def test_as_written_it_opens(copy, opened, signed):
    package = opened(copy)
    assert package.manifest.format == FORMAT
    assert sorted(path.name for path in copy.iterdir()) == sorted(FILES)
    renamed = copy.rename(copy.with_name("a-copy"))
    assert opened(renamed).manifest == package.manifest


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_is_refused(copy, opened, name, where):
    data = bytearray((copy / name).read_bytes())
    data[{"first": 0, "middle": len(data) // 2, "last": -1}[where]] ^= 0x20
    (copy / name).write_bytes(data)
    with pytest.raises(IntegrityError):
        opened(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\n", lambda data: b""])
def test_a_file_that_is_cut_or_longer_is_refused(copy, opened, name, change):
    (copy / name).write_bytes(change((copy / name).read_bytes()))
    with pytest.raises(IntegrityError):
        opened(copy)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"x" * 63, b"x" * 65, b"x" * 5000])
def test_a_wrong_signature_is_refused(copy, opened, signature):
    (copy / "manifest.sig").write_bytes(signature)
    with pytest.raises(IntegrityError, match=r"signature|too large"):
        opened(copy)


def test_another_keys_signature_is_refused(copy, opened, tmp_path):
    other = SigningKey.load_or_create(tmp_path / "other")
    (copy / "manifest.sig").write_bytes(other.sign((copy / "manifest.json").read_bytes()))
    with pytest.raises(IntegrityError, match="signature"):
        opened(copy)


LEAVING = [
    "../model.onnx", "..", ".", "", "/etc/passwd", "a/../../x", "..\\model.onnx", "C:\\model.onnx", "\\\\host\\share",
    "model.onnx\0", "\0", "%2e%2e/model.onnx", "%252e%252e%252fx", "..%c0%afx", "file:///etc/passwd", "model.onnx/",
    "./model.onnx", "sub/model.onnx", "MODEL.ONNX", "model.onnx ", "model\u200b.onnx", "manifest.json", "manifest.sig",
]  # fmt: skip


@pytest.mark.parametrize("name", LEAVING)
def test_a_name_in_a_signed_manifest_that_is_no_packages_file_is_refused(copy, opened, signed, name):
    resigned(copy, signed[1], lambda said: said["files"].update({name: said["files"]["model.onnx"]}))
    with pytest.raises(IntegrityError, match="names a file that no package has"):
        opened(copy)


@given(name=st.text(max_size=40).filter(lambda name: name not in FILES))
def test_no_other_name_is_ever_taken(signed, name):
    from noria.models.package import _refuse_foreign_names

    said = msgspec.json.decode((signed[0] / "manifest.json").read_bytes(), type=Manifest)
    said = msgspec.structs.replace(said, files={**said.files, name: PackedFile("0" * 64, 1)})
    with pytest.raises(IntegrityError):
        _refuse_foreign_names(said, set(FILES), "here")


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link_to_the_same_bytes_is_refused(copy, opened, name):
    elsewhere = (copy / name).rename(copy.parent / name)
    (copy / name).symlink_to(elsewhere)
    with pytest.raises(IntegrityError, match="cannot be read"):
        opened(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_hard_link_is_refused(copy, opened, name):
    os.link(copy / name, copy.parent / "elsewhere")
    with pytest.raises(IntegrityError, match="is a link or no file"):
        opened(copy)


def test_a_folder_that_is_a_symbolic_link_is_refused(copy, opened):
    link = copy.parent / "linked"
    link.symlink_to(copy, target_is_directory=True)
    with pytest.raises(IntegrityError, match="no package here"):
        opened(link)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_refused_and_not_waited_for(copy, opened, make):
    (copy / "card.md").unlink()
    make(copy / "card.md")
    with pytest.raises(IntegrityError):
        opened(copy)


@pytest.mark.parametrize("name", ["more.onnx", "weights.bin", ".hidden", "model.pkl", "setup.py", "__init__.py"])
def test_a_file_that_was_not_signed_is_refused(copy, opened, name):
    (copy / name).write_bytes(b"x")
    with pytest.raises(IntegrityError, match="not signed"):
        opened(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(copy, opened, name):
    (copy / name).unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        opened(copy)


def test_a_package_without_a_model_is_refused(copy, opened, signed):
    resigned(copy, signed[1], lambda said: said["files"].pop("model.onnx"))
    with pytest.raises(IntegrityError, match="no model"):
        opened(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_too_large_is_refused_before_it_is_read(copy, opened, name):
    os.truncate(copy / name, 600 << 20)  # a hole: it takes no disk, and would take memory
    with pytest.raises(IntegrityError, match="too large"):
        opened(copy)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["model.onnx", "training.json", "card.md"])
def test_a_signed_pickle_is_refused(copy, opened, signed, name, protocol):
    folder = repacked(copy, signed[1], name, pickle.dumps({"a": 1}, protocol))
    with pytest.raises(IntegrityError, match="is a pickle"):
        opened(folder)


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("name", ["model.onnx", "training.json"])
def test_an_old_pickle_is_refused_as_what_it_is_not(copy, opened, signed, name, protocol):
    with pytest.raises(IntegrityError):
        opened(repacked(copy, signed[1], name, pickle.dumps({"a": print}, protocol)))


def test_no_code_runs_whatever_lies_in_a_package(copy, opened, signed, tmp_path):
    canary = tmp_path / "ran"

    class Canary:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    for name in ("model.onnx", "training.json", "evaluation.json", "card.md"):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            (copy / name).write_bytes(pickle.dumps(Canary(), protocol))
            with pytest.raises(IntegrityError):
                opened(copy)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary()))
    assert canary.exists(), "the canary sings where pickles are read"


def test_a_package_that_was_renamed_to_another_digest_is_refused(copy, opened):
    with pytest.raises(IntegrityError, match="another version than it says"):
        opened(copy.rename(copy.with_name("0" * 32)))


@pytest.mark.parametrize("field", ["digest", "version"])
def test_a_manifest_that_says_another_digest_is_refused(copy, opened, signed, field):
    resigned(copy, signed[1], lambda said: said.update({field: "0" * len(said[field])}))
    with pytest.raises(IntegrityError, match="another version than it says"):
        opened(copy)


@pytest.mark.parametrize("number", [0, 2, -1, 1.5, "1", None, [1], 10**30])
def test_an_unknown_format_is_refused(copy, opened, signed, number):
    resigned(copy, signed[1], lambda said: said.update(format=number))
    with pytest.raises(IntegrityError, match="unknown format"):
        opened(copy)


@pytest.mark.parametrize(
    "said",
    [
        b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"format": 1}', b'{"format": 1, "surprise": 1}', b"NaN",
        b"[" * 200_000, b'{"format":1,"spine":' + b'{"a":' * 200_000, b'{"format":1,"threshold":' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "null", "list", "half", "bytes", "bare", "more", "nan", "deep list", "deep object", "long number"],
)  # fmt: skip
def test_a_signed_manifest_that_is_none_is_refused(copy, opened, signed, said):
    (copy / "manifest.json").write_bytes(said)
    (copy / "manifest.sig").write_bytes(signed[1].sign(said))
    with pytest.raises(IntegrityError):
        opened(copy)


@pytest.mark.parametrize("name", ["training.json", "evaluation.json"])
@pytest.mark.parametrize("data", [b"[]", b"{", b"[" * 200_000, b'{"a":' * 200_000, b"\xff", b'{"a": NaN}'])
def test_signed_json_that_is_none_is_refused(copy, opened, signed, name, data):
    with pytest.raises(IntegrityError):
        opened(repacked(copy, signed[1], name, data))


def test_a_huge_manifest_is_refused_unread(copy, opened, signed):
    said = b'{"format": 1, "name": "' + b"x" * (17 << 20) + b'"}'
    (copy / "manifest.json").write_bytes(said)
    (copy / "manifest.sig").write_bytes(signed[1].sign(said))
    with pytest.raises(IntegrityError, match="too large"):
        opened(copy)


def test_a_model_of_other_inputs_than_its_features_is_refused(copy, opened, signed):
    from noria.models import Graph

    graph = Graph(numbers=1, categories=1)
    with pytest.raises(IntegrityError, match="inputs are not its features"):
        opened(repacked(copy, signed[1], "model.onnx", graph.finish(graph.add("Sigmoid", "numbers"))))


def test_writing_stays_in_the_folder_and_leaves_nothing_half(copy, signed, tmp_path):
    root = copy.parent / "again"
    folder = repacked(copy, signed[1], "card.md", b"# other\n")
    assert [path.name for path in root.iterdir()] == [folder.name]
    assert folder.name == copy.name  # the card is no content
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    repacked(copy, signed[1], "card.md", b"# other again\n")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
