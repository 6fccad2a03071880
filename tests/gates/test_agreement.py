import numpy as np

from noria.gates.agreement import agreement

KINDS = {"mean": "number", "carrier": "category"}


def compared(offline, online):
    names = [f"c{n}" for n in range(len(offline))]
    return agreement(
        KINDS,
        list(range(len(offline))),
        [n * 60_000_000 for n in range(len(offline))],
        {"mean": offline, "carrier": names},
        {"mean": online, "carrier": names},
    )


def test_equal_features_agree_null_and_infinite_ones_too():
    values = np.array([1.0, np.nan, np.inf, -0.0], np.float32)
    found = compared(values, values.copy())
    assert (found.mismatches, found.largest, found.rows, found.features) == (0, 0.0, 4, 2)


def test_one_bit_of_float32_is_no_mismatch():
    one = np.array([0.1, 1234.5], np.float32)
    assert compared(one, np.nextafter(one, np.float32(np.inf))).mismatches == 0
    assert compared(one, one * np.float32(1 + 1e-5)).mismatches == 2


def test_a_mismatch_is_named():
    found = compared(np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, 3.5]))
    assert found.mismatches == 2
    assert found.by_feature == {"mean": 2}
    assert found.largest == 0.5
    assert found.examples == [
        {"feature": "mean", "row": 1, "time": "1970-01-01T00:01:00+00:00", "offline": None, "online": 2.0},
        {"feature": "mean", "row": 2, "time": "1970-01-01T00:02:00+00:00", "offline": 3.0, "online": 3.5},
    ]


def test_no_category_is_the_empty_text():
    found = agreement({"c": "category"}, [0, 1], [0, 0], {"c": [None, "UA"]}, {"c": ["", "AA"]})
    assert found.mismatches == 1
    assert found.examples[0]["offline"] == "UA"


def test_ten_examples_are_enough():
    found = compared(np.zeros(50), np.ones(50))
    assert found.mismatches == 50
    assert len(found.examples) == 10
