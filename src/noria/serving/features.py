"""From a package's manifest to what fetches its features."""

from __future__ import annotations

from noria.core import Clock
from noria.models.package import Manifest
from noria.serving.fleet import Features, OpenFeatures


def opener(online: str, clock: Clock) -> OpenFeatures:
    """A function that opens the features of a manifest in an online store.

    Parameters
    ----------
    online : str
        URL of the store.
    clock : Clock
        Where now comes from.
    """

    def open_features(manifest: Manifest) -> Features:
        from noria.declarations import restore
        from noria.features import FeatureService, open_store

        return FeatureService(restore(manifest.views), restore(manifest.spine), open_store(online), clock)

    return open_features
