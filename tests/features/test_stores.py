"""The online stores do what an online store must."""

import pytest

from noria.core import DeclarationError
from noria.features import open_store
from noria.testing import OnlineStoreSuite


class TestLmdb(OnlineStoreSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"lmdb://{tmp_path}/store"


class TestSqlite(OnlineStoreSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite://{tmp_path}/odd ? name # 100%.db"


def test_a_store_that_nobody_knows_is_refused():
    with pytest.raises(DeclarationError, match="did you mean 'lmdb://'"):
        open_store("lmbd:///tmp/x")
