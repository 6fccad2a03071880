"""Fleet: the versions that are loaded, and which of them answers a request."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from noria.core import IntegrityError, NoriaError
from noria.models.package import Manifest, Package, open_package
from noria.serving.routes import Routes

_logger = logging.getLogger("noria.serving")


class Features(Protocol):
    """Fetches and works out the features of requests. Called from the server's one thread."""

    def columns(self, requests: Sequence[Mapping[str, Any]], at: int, /) -> dict[str, Any]:
        """Every feature of the model: numbers as float32 ``[n]``, categories as lists of n str or None."""


OpenFeatures = Callable[[Manifest], Features]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version that can answer.

    Attributes
    ----------
    version : str
        Its name.
    package : Package
        The verified model.
    features : Features, optional
        Fetches its features; None where their store cannot be opened.
    numbers, categories : tuple of str
        Names of its features, in the model's order.
    names : tuple of str
        Both: numbers, then categories.
    by_matrix : bool
        Whether a request may bring them as two tensors, ``numbers`` and ``categories``: unless features are named so.
    """

    version: str
    package: Package
    features: Features | None
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    names: tuple[str, ...]
    by_matrix: bool


@dataclass(frozen=True, slots=True)
class Fleet:
    """Loaded versions and their shares, which sum to 1.

    Attributes
    ----------
    only : Loaded, optional
        The version that gets every request, if one does.
    """

    versions: Mapping[str, Loaded]
    shares: Mapping[str, float]
    only: Loaded | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "only", next(iter(self.versions.values())) if len(self.versions) == 1 else None)

    def pick(self, seed: bytes) -> Loaded:
        """The version that answers a request: always the same one for the same seed and shares."""
        # Not a checksum: requests that differ in one letter must not go the same way more often than others.
        point = int.from_bytes(hashlib.blake2b(seed, digest_size=6).digest()) / 2**48
        for version, share in self.shares.items():
            point -= share
            if point < 0:
                return self.versions[version]
        return self.versions[version]  # shares may sum to a hair under 1


def load_fleet(
    routes: Routes,
    packages: Path,
    public_key: bytes,
    open_features: OpenFeatures,
    *,
    known: Mapping[str, Loaded] | None = None,
    partly: bool = False,
) -> tuple[Fleet, list[NoriaError]]:
    """Load what routes name.

    Parameters
    ----------
    routes : Routes
        Versions with a share of 0 are not loaded.
    packages : Path
        The workspace's packages.
    public_key : bytes
        Of whom their signatures must be.
    open_features : callable
        From a manifest to what fetches its features.
    known : mapping, optional
        Versions that are loaded already, and are used again.
    partly : bool
        Whether to go on with the versions that load where others do not.

    Returns
    -------
    Fleet, list of NoriaError
        The errors are of versions that are not in the fleet.

    Raises
    ------
    NoriaError
        A version cannot be loaded; if `partly`, none can.
    """
    loaded: dict[str, Loaded] = {}
    errors: list[NoriaError] = []
    for version, share in sorted(routes.weights.items()):
        if share == 0:
            continue
        before = (known or {}).get(version)
        try:
            if before is not None and before.features is not None:
                loaded[version] = before
            else:
                package = before.package if before else open_package(_folder_of(version, packages), public_key)
                loaded[version] = _loaded(package, open_features)
        except NoriaError as error:
            errors.append(error)
            if not partly:
                raise
    if not loaded:
        raise errors[0]
    total = sum(routes.weights[version] for version in loaded)
    return Fleet(loaded, {version: routes.weights[version] / total for version in loaded}), errors


def _loaded(package: Package, open_features: OpenFeatures) -> Loaded:
    """A package that is ready to answer; it is asked once, because a first answer takes longer."""
    manifest = package.manifest
    numbers = tuple(feature.name for feature in manifest.features if feature.kind == "number")
    categories = tuple(feature.name for feature in manifest.features if feature.kind != "number")
    try:
        features: Features | None = open_features(manifest)
    except Exception as error:  # whatever a store raises: requests that bring their features are still answered
        _logger.error("the features of version %s cannot be fetched: %s", manifest.version, error)
        features = None
    by_matrix = not {"numbers", "categories"} & {*numbers, *categories}
    return Loaded(manifest.version, package, features, numbers, categories, numbers + categories, by_matrix)


def _folder_of(version: str, packages: Path) -> Path:
    found = [path for path in packages.glob(f"{version}*") if path.is_dir()]
    if len(found) != 1:
        raise IntegrityError(
            "the routes name a version that has no package" if not found else "the version is ambiguous",
            place=str(packages),
            value=version,
            mend="restore the package, or promote another version",
        )
    return found[0]
