"""What every online store must do."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from noria.core import ResourceError
from noria.features import OnlineStore, open_store

_WRITER = """
import sys
from noria.features import open_store
store = open_store(sys.argv[1], durable=sys.argv[2] == "durable")
for number in range(10**9):
    value = str(number).encode() * 200
    store.write({("view", b"%d" % key): value for key in range(20)})
    print(number, flush=True)
"""


class OnlineStoreSuite:
    """The tests of an online store; give it a fixture ``url``."""

    @pytest.fixture
    def url(self) -> str:
        """The URL of a place where there is no store yet."""
        raise NotImplementedError("the suite needs a fixture 'url'")

    @pytest.fixture
    def store(self, url: str) -> Iterator[OnlineStore]:
        """The store, open."""
        store = open_store(url)
        yield store
        store.close()

    def test_what_was_written_is_read_in_the_order_that_is_asked(self, store: OnlineStore) -> None:
        store.write({("v", b"a"): b"1", ("v", b"b"): b"2", ("w", b"a"): b"3"})
        assert store.read([("w", b"a"), ("v", b"b"), ("v", b"a"), ("v", b"b")]) == [b"3", b"2", b"1", b"2"]

    def test_what_is_not_there_is_none(self, store: OnlineStore) -> None:
        store.write({("v", b"a"): b"1"})
        assert store.read([("v", b"b"), ("w", b"a"), ("v", b"")]) == [None, None, None]
        assert store.read([]) == []

    def test_a_value_is_written_whole(self, store: OnlineStore) -> None:
        store.write({("v", b"a"): b"long" * 1000})
        store.write({("v", b"a"): b""})
        assert store.read([("v", b"a")]) == [b""]

    def test_any_bytes_are_a_key_and_a_value(self, store: OnlineStore) -> None:
        keys = [b"", b"\0", b"\0\0", b"a\0b", b"a", b"\x1f", "Zürich 東京 🛫".encode(), b"\xff" * 3, *_long_keys()]
        values = {("v", key): bytes(range(256)) + key for key in keys}
        store.write(values)
        assert store.read(list(values)) == list(values.values())

    def test_a_key_of_one_view_is_not_of_another(self, store: OnlineStore) -> None:
        names = ["v", "v1", "v@1", "V", "v" * 150, "v" * 149 + "w"]
        store.write({(name, b"k"): name.encode() for name in names})
        assert store.read([(name, b"k") for name in names]) == [name.encode() for name in names]

    def test_replace_makes_it_all_that_a_view_holds(self, store: OnlineStore) -> None:
        long = _long_keys()
        store.write({("v", key): b"old" for key in [b"gone", b"stays", *long]})
        store.write({("v1", b"gone"): b"other", ("u", b"gone"): b"other"})
        store.replace("v", iter([(b"stays", b"new"), (b"comes", b"new"), (long[0], b"new")]))
        told = store.read([("v", key) for key in [b"gone", b"stays", b"comes", *long]])
        assert told == [None, b"new", b"new", b"new", *[None] * (len(long) - 1)]
        assert store.read([("v1", b"gone"), ("u", b"gone")]) == [b"other", b"other"]
        store.replace("v", [])
        assert store.read([("v", b"stays"), ("v", long[0])]) == [None, None]

    def test_a_replace_that_breaks_off_changes_nothing(self, store: OnlineStore) -> None:
        def breaking() -> Iterator[tuple[bytes, bytes]]:
            yield b"a", b"new"
            raise KeyboardInterrupt

        store.write({("v", b"a"): b"old", ("v", b"b"): b"old"})
        with pytest.raises(KeyboardInterrupt):
            store.replace("v", breaking())
        assert store.read([("v", b"a"), ("v", b"b")]) == [b"old", b"old"]
        store.write({("v", b"a"): b"works"})
        assert store.read([("v", b"a")]) == [b"works"]

    def test_a_reader_sees_all_of_a_write_or_none(self, store: OnlineStore) -> None:
        wanted = [(view, b"%d" % key) for view in ("v", "w") for key in range(50)]
        store.write(dict.fromkeys(wanted, b"0"))
        torn: list[set[bytes | None]] = []
        done = threading.Event()

        def reader() -> None:
            while not done.is_set():
                seen = set(store.read(wanted))
                if len(seen) != 1:
                    torn.append(seen)

        readers = [threading.Thread(target=reader) for _ in range(4)]
        for thread in readers:
            thread.start()
        try:
            for number in range(40):
                store.write(dict.fromkeys(wanted, b"%d" % number))
        finally:
            done.set()
            for thread in readers:
                thread.join()
        assert torn == []

    def test_it_is_all_there_when_it_is_opened_again(self, url: str) -> None:
        store = open_store(url)
        store.write({("v", b"a"): b"1"})
        store.close()
        store.close()
        again = open_store(url)
        assert again.read([("v", b"a")]) == [b"1"]
        again.close()

    def test_another_process_reads_what_one_has_written(self, url: str, store: OnlineStore) -> None:
        code = (
            "import sys; from noria.features import open_store; store = open_store(sys.argv[1], readonly=True)\n"
            "for line in sys.stdin: print(store.read([('v', b'a')])[0].decode(), flush=True)"
        )
        store.write({("v", b"a"): b"first"})
        with subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for text in ("second", "third"):
                store.write({("v", b"a"): text.encode()})
                process.stdin.write("read\n")
                assert process.stdout.readline() == f"{text}\n"
            process.stdin.close()

    def test_one_that_is_read_only_must_be_there_and_is_not_written(self, url: str) -> None:
        with pytest.raises(ResourceError, match="cannot be opened"):
            open_store(url, readonly=True)
        store = open_store(url)
        store.write({("v", b"a"): b"1"})
        store.close()
        reader = open_store(url, readonly=True)
        with pytest.raises(ResourceError, match="cannot be written"):
            reader.write({("v", b"a"): b"2"})
        assert reader.read([("v", b"a")]) == [b"1"]
        reader.close()

    def test_one_that_is_closed_says_so(self, url: str) -> None:
        store = open_store(url)
        store.close()
        with pytest.raises(ResourceError):
            store.read([("v", b"a")])
        with pytest.raises(ResourceError):
            store.write({("v", b"a"): b"1"})

    @pytest.mark.parametrize("how", ["durable", "not durable"])
    def test_a_kill_loses_nothing_and_leaves_nothing_half(self, url: str, how: str) -> None:
        chance = random.Random(7)
        for _ in range(4):
            command = [sys.executable, "-c", _WRITER, url, how]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.1))
                process.send_signal(signal.SIGKILL)
                said = [0, *map(int, process.stdout.read().split())][-1]
            store = open_store(url)
            found = set(store.read([("view", b"%d" % key) for key in range(20)]))
            assert len(found) == 1, "a batch is there whole"
            value = found.pop()
            assert value is not None
            assert int(value[: len(value) // 200]) in (said, said + 1)
            store.close()


def _long_keys() -> list[bytes]:
    return [b"k" * 10_000, b"k" * 9_999 + b"l", b"k" * 500, b"k" * 501]
