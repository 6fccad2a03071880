"""Package: a model version as a folder of data that is verified before any of it is used.

::

    packages/<digest>/
    ├── manifest.json    what it is: every other file's digest and size, features, declarations, scores
    ├── manifest.sig     Ed25519 signature of the manifest's bytes
    ├── model.onnx       features to probability
    ├── baseline.onnx    the baseline, likewise
    ├── training.json    how it was found: leaderboard, parameters, calibration, reference histograms
    ├── evaluation.json  the sealed test
    └── card.md          the model card

Nothing in it is code: what is not on this list is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from noria.core import IntegrityError, content_key
from noria.models.onnxruntime import Scorer
from noria.security import SigningKey, verify

FORMAT = 1
_MANIFEST, _SIGNATURE, _MODEL, _CARD = "manifest.json", "manifest.sig", "model.onnx", "card.md"
_MIB = 1 << 20
_LARGEST = {
    _MODEL: 512 * _MIB,
    "baseline.onnx": 64 * _MIB,
    "training.json": 64 * _MIB,
    "evaluation.json": 64 * _MIB,
    _CARD: 4 * _MIB,
}
_LARGEST_MANIFEST = 16 * _MIB
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_VERSION_DIGITS = 12


class ModelFeature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature of the model: its name, and ``"number"`` or ``"category"``."""

    name: str
    kind: str


class PackedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a package: BLAKE2b digest (256 bits) and size in bytes."""

    digest: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model version is.

    Attributes
    ----------
    format : int
        Of the package, `FORMAT`.
    name : str
        The endpoint's name.
    version, digest : str
        The content digest of everything below but `created`, `inputs`, `commit` and the card, which tell of one making
        of it; the version is its first 12 digits.
    created : str
        When, ISO 8601 in UTC.
    features : tuple of ModelFeature
        In the model's order.
    views, spine : plain JSON
        The declarations of feature views and spine, their sources without URL and contract;
        `noria.declarations.restore` makes them declarations again.
    schemas : mapping of str to mapping
        Source to the kinds of its columns that views and spine read, as they were in training.
    metric : str
        What was maximised.
    scores : mapping of str to mapping
        Scores of the sealed test, each ``{"value", "low", "high"}``.
    threshold : float
        The probability from which F1 was highest on the validation rows.
    inputs : mapping of str to str
        References of what it was made from.
    commit : str
        The code's commit; empty where that is not known.
    files : mapping of str to PackedFile
        Every file but the manifest and its signature.
    """

    format: int
    name: str
    version: str = ""
    digest: str = ""
    created: str
    features: tuple[ModelFeature, ...]
    views: list[Any]
    spine: dict[str, Any]
    schemas: dict[str, dict[str, str]] = {}
    metric: str
    scores: dict[str, dict[str, float]]
    threshold: float
    inputs: dict[str, str]
    commit: str
    files: dict[str, PackedFile]

    def content_digest(self) -> str:
        """The digest of its content: 32 hexadecimal digits."""
        said = msgspec.to_builtins(self)
        said["files"].pop(_CARD, None)
        return content_key({name: value for name, value in said.items() if name not in _NOT_CONTENT})


_NOT_CONTENT = ("version", "digest", "created", "inputs", "commit")


@dataclass(frozen=True, slots=True)
class Package:
    """A verified model version.

    Attributes
    ----------
    folder : Path
        Where it was read from; nothing is read from there again.
    manifest : Manifest
        What it is.
    training, evaluation : mapping
        How it was found and how it did on the sealed test: training.json, evaluation.json.
    """

    folder: Path
    manifest: Manifest
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    _scorer: Scorer
    _baseline: Scorer | None = field(default=None)

    def predict(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """Probabilities, float64 ``[n]``; may be called from any thread.

        Parameters
        ----------
        columns : mapping of str to array or list of n
            Every feature by name: numbers float32 (null is NaN), categories lists of str or None.
        """
        return self._scorer.predict(columns)

    def matrices(self, columns: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
        """The same columns as the model's two inputs, see `score`."""
        return self._scorer.matrices(columns)

    def score(self, numbers: NDArray[np.float32], categories: NDArray[np.object_]) -> NDArray[np.float64]:
        """Probabilities, float64 ``[n]``; may be called from any thread.

        Parameters
        ----------
        numbers : float32 [n, k]
            Features that are numbers, in the model's order; null is NaN.
        categories : object [n, m]
            The others, as text; null is ``""``.
        """
        return self._scorer.score(numbers, categories)

    def predict_baseline(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """The same by the baseline that it was compared with.

        Raises
        ------
        IntegrityError
            The package has none.
        """
        if self._baseline is None:
            raise IntegrityError("the package has no baseline", place=str(self.folder))
        return self._baseline.predict(columns)


def write_package(root: Path, manifest: Manifest, files: Mapping[str, bytes], key: SigningKey) -> Path:
    """Write and sign a package, in one atomic rename; one that is there already stays as it is.

    Parameters
    ----------
    root : Path
        The folder of packages.
    manifest : Manifest
        Without version, digest and files, which are worked out here.
    files : mapping of str to bytes
        The files, by name.
    key : SigningKey
        Signs the manifest.

    Returns
    -------
    Path
        The package's folder, ``root/<digest>``.
    """
    packed = {name: PackedFile(_digest(data), len(data)) for name, data in sorted(files.items())}
    manifest = msgspec.structs.replace(manifest, files=packed)
    digest = manifest.content_digest()
    manifest = msgspec.structs.replace(manifest, digest=digest, version=digest[:_VERSION_DIGITS])
    target = root / digest
    if target.exists():
        return target
    staged = root / f".{digest}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    said = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, data in {**files, _MANIFEST: said, _SIGNATURE: key.sign(said)}.items():
        with open(staged / name, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _sync_folder(staged)
    staged.rename(target)
    _sync_folder(root)
    return target


def open_package(folder: Path, public_key: bytes) -> Package:
    """Verify a package, then load it, from the same bytes.

    Parameters
    ----------
    folder : Path
        ``packages/<digest>``, or a copy under another name.
    public_key : bytes
        Of whom the signature must be.

    Raises
    ------
    IntegrityError
        The signature or a digest is wrong, a file is missing, unknown, linked, too large or a pickle, a name in the
        manifest leaves the folder, or the model names other files or foreign operators.
    """
    folder = Path(folder)
    place = str(folder)
    handle = _open_folder(folder)
    try:
        said = _read(handle, _MANIFEST, _LARGEST_MANIFEST, place)
        verify(public_key, _read(handle, _SIGNATURE, 4096, place), said)
        manifest = _decode(said, place)
        _refuse_foreign_names(manifest, set(os.listdir(handle)), place)
        data = {name: _read(handle, name, _LARGEST[name], place) for name in manifest.files}
    finally:
        os.close(handle)
    for name, packed in manifest.files.items():
        if len(data[name]) != packed.bytes or _digest(data[name]) != packed.digest:
            raise IntegrityError("the file is not the one that was signed", place=f"{place}/{name}", mend=_MEND)
    _refuse_other_digest(manifest, folder)
    model, baseline = data[_MODEL], data.get("baseline.onnx")
    return Package(
        folder,
        manifest,
        _json(data.get("training.json", b"{}"), f"{place}/training.json"),
        _json(data.get("evaluation.json", b"{}"), f"{place}/evaluation.json"),
        Scorer(model, manifest.features, f"{place}/{_MODEL}"),
        None if baseline is None else Scorer(baseline, manifest.features, f"{place}/baseline.onnx"),
    )


_MEND = "restore the package from a copy, or package the version again"


def _open_folder(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise IntegrityError("no package here", place=str(folder), value=error.strerror, mend=_MEND) from None


def _read(folder: int, name: str, largest: int, place: str) -> bytes:
    """A regular file's bytes, without following a link and without reading more than `largest`."""
    where = f"{place}/{name}"
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise IntegrityError(
            "a file of the package cannot be read", place=where, value=error.strerror, mend=_MEND
        ) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        raise IntegrityError("a file of the package is a link or no file", place=where, mend=_MEND)
    with open(handle, "rb") as file:
        if status.st_size > largest:
            raise IntegrityError("a file of the package is too large", place=where, value=f"{status.st_size:,} bytes")
        data = file.read(largest + 1)
    if len(data) > largest:
        raise IntegrityError("a file of the package is too large", place=where, value=f"over {largest:,} bytes")
    if _PICKLE.match(data):
        raise IntegrityError("a file of the package is a pickle", place=where, mend="packages hold data, never code")
    return data


def _decode(said: bytes, place: str) -> Manifest:
    try:
        form = msgspec.json.decode(said, type=dict[str, Any]).get("format")
        if form != FORMAT:
            mend = "open it with the version of Noria that made it"
            raise IntegrityError("the package has an unknown format", place=place, value=form, mend=mend)
        return msgspec.json.decode(said, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IntegrityError("the manifest cannot be read", place=f"{place}/{_MANIFEST}", value=str(error)) from None


def _refuse_foreign_names(manifest: Manifest, found: set[str], place: str) -> None:
    for name in manifest.files:
        if name not in _LARGEST:
            raise IntegrityError("the manifest names a file that no package has", place=place, value=name, mend=_MEND)
    if _MODEL not in manifest.files:
        raise IntegrityError("the package has no model", place=place, mend=_MEND)
    if unknown := found - set(manifest.files) - {_MANIFEST, _SIGNATURE}:
        raise IntegrityError(
            "the package holds files that were not signed", place=place, value=sorted(unknown), mend=_MEND
        )


def _refuse_other_digest(manifest: Manifest, folder: Path) -> None:
    digest = manifest.content_digest()
    named = folder.name if _DIGEST.fullmatch(folder.name) else digest
    if not digest == manifest.digest == named or manifest.version != digest[:_VERSION_DIGITS]:
        raise IntegrityError("the package is another version than it says", place=str(folder), value=digest, mend=_MEND)


def _json(data: bytes, place: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IntegrityError("the file is not JSON", place=place, value=str(error)) from None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
