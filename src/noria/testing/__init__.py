"""What a backend must do, as tests: for our backends, and for other people's. And the oracle of features.

A backend's test is a subclass of a suite with one fixture, which gives the URL of a fresh, empty place (a source's:
with the source, and with what changes it)::

    class TestMine(OnlineStoreSuite):
        @pytest.fixture
        def url(self, tmp_path):
            return f"mine://{tmp_path}/store"
"""

from noria.testing.lakes import LakeSuite
from noria.testing.ledgers import LedgerSuite
from noria.testing.oracle import VALUES, view_values, window_value
from noria.testing.sources import SourceSuite
from noria.testing.stores import OnlineStoreSuite

__all__ = ["VALUES", "LakeSuite", "LedgerSuite", "OnlineStoreSuite", "SourceSuite", "view_values", "window_value"]
