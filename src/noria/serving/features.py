"""From a package's manifest to what fetches its features."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import cast

from noria.models.package import Manifest
from noria.serving.fleet import Features, OpenFeatures


def opener(online: str) -> OpenFeatures:
    """A function that opens the features of a manifest in an online store.

    All versions share one open store: LMDB may not be opened twice in a process. It is opened when the first version
    needs it, tried anew if that failed, and stays open as long as the process.

    Parameters
    ----------
    online : str
        URL of the store.
    """
    from noria.features import open_store

    opened = functools.cache(lambda: open_store(online, readonly=True))

    def open_features(manifest: Manifest) -> Features:
        from noria.declarations import restore
        from noria.expressions import Kind
        from noria.features import FeatureService

        schemas = cast(Mapping[str, Mapping[str, Kind]], manifest.schemas)
        return FeatureService(restore(manifest.spine), restore(manifest.views), schemas, opened())

    return open_features
