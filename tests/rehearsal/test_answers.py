import json
import threading
import time

import numpy as np
import pytest

from noria.core import IntegrityError
from noria.rehearsal import answers as module
from noria.rehearsal.answers import Answers

SEGMENT, HEAD = "00000001.jsonl", '{"format":1}\n'


def line(number, at, score=0.5, **features):
    told = {"id": str(number), "at": at, "version": "v1", "probability": score, "request": {}, "features": features}
    return json.dumps(told) + "\n"


def test_it_reads_on_and_leaves_half_a_line(tmp_path):
    log = tmp_path / SEGMENT
    log.write_text(HEAD + line(0, 10, hour=1.0) + line(1, 20, hour=None)[:7])
    answers = Answers(tmp_path)
    answers.read([10])
    log.write_text(HEAD + line(0, 10, hour=1.0) + line(1, 20, hour=None) + line("1/1", 20, hour=3.0))
    answers.read([10, 20, 20])
    assert answers.times == [10, 20, 20]
    assert [row["hour"] for row in answers.features] == [1.0, None, 3.0]


def test_answers_of_one_request_may_stand_in_any_order(tmp_path):
    """Where a canary parts a request, the log has the rows of one version after those of the other."""
    (tmp_path / SEGMENT).write_text(HEAD + line("0/1", 10, 0.2) + line("0/2", 10, 0.3) + line("0/0", 10, 0.1))
    answers = Answers(tmp_path)
    answers.read([10, 10, 10])
    assert answers.scores == [0.1, 0.2, 0.3]


def test_it_waits_for_a_log_that_is_written_later(tmp_path):
    def write():
        time.sleep(0.1)
        (tmp_path / SEGMENT).write_text(HEAD + line(0, 10))

    writer = threading.Thread(target=write)
    writer.start()
    answers = Answers(tmp_path)
    answers.read([10])
    writer.join()
    assert answers.times == [10]


def test_a_log_that_says_another_time_is_refused(tmp_path):
    (tmp_path / SEGMENT).write_text(HEAD + line(0, 10) + line(1, 21))
    with pytest.raises(IntegrityError, match="another time") as caught:
        Answers(tmp_path).read([10, 20])
    assert "prediction 2" in str(caught.value)


def test_a_log_that_lacks_lines_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    with pytest.raises(IntegrityError, match="lacks"):
        Answers(tmp_path).read([10])


def test_a_window_knows_only_what_is_known_by_then(tmp_path):
    (tmp_path / SEGMENT).write_text(
        HEAD + "".join(line(n, at, at / 100, hour=at, carrier="UA") for n, at in enumerate((10, 20, 30, 40)))
    )
    answers = Answers(tmp_path)
    answers.read([10, 20, 30, 40])
    kinds = {"hour": "number", "carrier": "category"}
    window = answers.window(40, 20, [1.0, 0.0, 1.0, 0.0], [15, 39, 40, 99], kinds, {}, "roc_auc", 0.4)
    assert window.times.tolist() == [20, 30]
    assert window.scores.tolist() == [0.2, 0.3]
    assert window.labels[0] == 0.0
    assert np.isnan(window.labels[1])  # known at 40 is not known before 40
    assert window.columns["carrier"] == ["UA", "UA"]
    assert window.columns["hour"].tolist() == [20.0, 30.0]
