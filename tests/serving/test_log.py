"""The prediction log: whole lines, in order, bounded, never in the way."""

import json
import threading

import msgspec
import numpy as np
import pytest

from noria.core import IntegrityError
from noria.serving import find_prediction, read_log
from noria.serving.log import Answered, PredictionLog
from noria.serving.logged import HEAD


def prediction(number):
    """One of a request of one row; odd ones lack their features."""
    x, c = (number, "ü\n") if number % 2 == 0 else (np.nan, "")
    matrices = np.array([[x]], np.float32), np.array([[c]], object)
    return Answered([f"p{number}"], number, "v", [0.25], [{"k": "a"}], ("x", "c"), *matrices)


def line_of(number, **fields):
    """A line as the log has it."""
    told = {"id": f"p{number}", "at": number, "version": "v", "probability": 0.25, "request": {}, "features": {}}
    return json.dumps({**told, **fields}).encode() + b"\n"


def lines(folder):
    return [msgspec.to_builtins(one) for one in read_log(folder)]


def test_everything_is_written_in_order_before_close_returns(tmp_path):
    log = PredictionLog(tmp_path)
    for number in range(5000):
        log.append(prediction(number))
    log.close()
    told = lines(tmp_path)
    assert [one["at"] for one in told] == list(range(5000))
    assert told[0] == {"id": "p0", "at": 0, "version": "v", "probability": 0.25, "request": {"k": "a"},
                       "features": {"x": 0.0, "c": "ü\n"}}  # fmt: skip
    assert told[1]["features"] == {"x": None, "c": None}
    assert log.counts == {"written": 5000, "dropped": 0, "waiting": 0}


def test_a_full_queue_drops_and_counts(tmp_path):
    log = PredictionLog(tmp_path, limit=10, every=30)
    for number in range(25):
        log.append(prediction(number))
    assert log.counts == {"written": 0, "dropped": 15, "waiting": 10}
    log.close()
    assert [one["at"] for one in lines(tmp_path)] == list(range(10))


def test_segments_are_rotated_by_size_and_never_written_again(tmp_path):
    for start in (0, 3000):
        log = PredictionLog(tmp_path, segment_bytes=50_000)
        for number in range(start, start + 3000):
            log.append(prediction(number))
        log.close()
    assert [one["at"] for one in lines(tmp_path)] == list(range(6000))
    assert len(list(tmp_path.glob("*.jsonl"))) > 3


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path):
    whole = HEAD + line_of(1) + line_of(2)
    (tmp_path / "00000007.jsonl").write_bytes(whole + line_of(3)[:5])
    log = PredictionLog(tmp_path)
    log.append(prediction(3))
    log.close()
    assert [one["at"] for one in lines(tmp_path)] == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000007.jsonl", "00000008.jsonl"]
    assert (tmp_path / "00000007.jsonl").read_bytes() == whole


def test_two_writers_do_not_touch_each_others_segments(tmp_path):
    first, second = PredictionLog(tmp_path), PredictionLog(tmp_path)
    threads = [
        threading.Thread(target=lambda log=log: [log.append(prediction(n)) for n in range(500)])
        for log in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.close()
    second.close()
    assert len(lines(tmp_path)) == 1000
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_a_disk_that_refuses_costs_the_log_only(tmp_path, monkeypatch, caplog):
    log = PredictionLog(tmp_path)
    whole = log._file

    class Full:
        def __getattr__(self, name):
            return getattr(whole, name)

        def write(self, data):
            whole.write(bytes(data)[:5])
            raise OSError(28, "No space left on device")

    log._file = Full()
    log.append(prediction(1))
    while log.counts["dropped"] == 0:
        pass
    log._file = whole
    log.append(prediction(2))
    log.close()
    assert [one["at"] for one in lines(tmp_path)] == [2]
    assert "No space left" in caplog.text


def test_a_disk_that_has_no_room_for_a_new_segment_costs_only_what_comes_before_there_is_room(tmp_path, monkeypatch):
    from noria.serving import log as module

    whole, full = module._new_segment, []

    def refused(folder):
        if full:
            raise OSError(28, "No space left on device")
        return whole(folder)

    monkeypatch.setattr(module, "_new_segment", refused)
    log = PredictionLog(tmp_path, segment_bytes=1, every=0.01)
    full.append(True)
    log.append(prediction(1))
    while log.counts["dropped"] == 0:
        pass
    full.clear()
    log.append(prediction(2))
    log.close()
    assert [one["at"] for one in lines(tmp_path)] == [2]


def test_a_reader_reads_on_in_the_order_of_segments_and_leaves_what_is_not_whole(tmp_path):
    first, second = tmp_path / "00000001.jsonl", tmp_path / "00000002.jsonl"
    (tmp_path / "notes.jsonl").write_text("not a segment")
    read = {}

    def new():
        return [one.at for one in read_log(tmp_path, read)]

    assert new() == []
    second.write_bytes(HEAD[:4])
    first.write_bytes(HEAD)
    assert new() == []
    second.write_bytes(HEAD + line_of(3) + line_of(4)[:-1])
    first.write_bytes(HEAD + line_of(1) + line_of(2)[:20])
    assert new() == [1, 3]
    assert new() == []
    first.write_bytes(HEAD + line_of(1) + line_of(2))
    second.write_bytes(HEAD + line_of(3) + line_of(4) + line_of(5))
    assert new() == [2, 4, 5]
    assert read == {path.name: path.stat().st_size for path in (first, second)}


@pytest.mark.parametrize("head", [b"", line_of(0), b'{"format":2}\n', b'{"format":"1"}\n', b"[1]\n", b"\xff\n", b"\n"])
def test_a_segment_of_another_format_is_refused(tmp_path, head):
    (tmp_path / "00000001.jsonl").write_bytes(head + line_of(1))
    with pytest.raises(IntegrityError, match="unknown format") as caught:
        list(read_log(tmp_path))
    assert "00000001.jsonl" in str(caught.value)


@pytest.mark.parametrize("line", [b"{}\n", b"\n", b"\xff\n", line_of(1)[5:], line_of(1, at="x"), b"[" * 99_999 + b"\n"])
def test_a_line_that_is_no_prediction_is_named(tmp_path, line):
    (tmp_path / "00000001.jsonl").write_bytes(HEAD + line_of(0) + line)
    with pytest.raises(IntegrityError, match="no prediction") as caught:
        list(read_log(tmp_path))
    assert "00000001.jsonl" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("wanted", ["p3", 'a "quoted" one', "ü\n\x1f\x7f", "p1/2"])
def test_a_prediction_is_found_by_its_id_alone(tmp_path, wanted):
    log = PredictionLog(tmp_path / "late" / "log")
    for name in ("p33", wanted, f"{wanted}x"):
        log.append(prediction(0)._replace(ids=[name], requests=[{"k": wanted}]))
    log.close()
    found = find_prediction(tmp_path, wanted)
    assert (found["endpoint"], found["id"], found["features"]) == ("late", wanted, {"x": 0.0, "c": "ü\n"})
    for other in ("p", "p333", "", "late", "\udcff"):
        assert find_prediction(tmp_path, other) == {}
    assert find_prediction(tmp_path / "nothing", wanted) == {}
