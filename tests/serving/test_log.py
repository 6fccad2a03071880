"""The prediction log: whole lines, in order, bounded, never in the way."""

import json
import threading

import numpy as np

from noria.serving.log import Answered, PredictionLog


def prediction(number):
    """One of a request of one row; odd ones lack their features."""
    x, c = (number, "ü\n") if number % 2 == 0 else (np.nan, "")
    matrices = np.array([[x]], np.float32), np.array([[c]], object)
    return Answered([f"p{number}"], number, "v", [0.25], [{"k": "a"}], ("x", "c"), *matrices)


def lines(folder):
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]


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
    (tmp_path / "00000007.jsonl").write_bytes(b'{"at": 1}\n{"at": 2}\n{"at"')
    log = PredictionLog(tmp_path)
    log.append(prediction(3))
    log.close()
    assert [one["at"] for one in lines(tmp_path)] == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000007.jsonl", "00000008.jsonl"]


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
