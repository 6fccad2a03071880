"""The online stores do what an online store must."""

import contextlib

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


@pytest.mark.parametrize("name", ["C#", "who?", "%41", "a b", "größe 𝔘", "a&b=c;d", "[x]"])
@pytest.mark.parametrize("scheme", ["lmdb", "sqlite"])
def test_a_store_lies_where_its_url_says_whatever_the_folder_is_called(tmp_path, scheme, name):
    url = f"{scheme}:///{tmp_path / name}/store"
    for options in ({}, {"readonly": True}):
        with contextlib.closing(open_store(url, **options)) as store:
            if not options:
                store.write({("v", b"k"): b"1"})
            assert store.read([("v", b"k")]) == [b"1"]
    assert (tmp_path / name / "store").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
