"""The lake on Delta tables does what every lake must do."""

import pytest

from noria.testing import LakeSuite


class TestDelta(LakeSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"file://{tmp_path}/lake"
