import inspect
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import noria as nr
from noria.core import DeclarationError, IntegrityError
from noria.declarations import Budget, Contract, Endpoint, Source, TimeSplit, dump, duration_text, restore


def refused(function):
    with pytest.raises(DeclarationError) as caught:
        function()
    return caught.value


def test_an_error_names_file_line_field_value_and_mend():
    line = inspect.currentframe().f_lineno + 1
    error = refused(lambda: Source("flights", "x.csv", colums={}))
    assert error.place == f"{__file__}:{line}"
    assert "Source has no 'colums'" in str(error)
    assert error.mend == "did you mean 'columns'?"


def test_a_missing_field_is_named():
    assert str(refused(lambda: Source("flights"))).startswith("Source needs 'origin'")


def test_a_wrong_value_is_shown():
    error = refused(lambda: Endpoint("late", canary=2))
    assert error.message == "Endpoint.canary is wrong"
    assert error.value == "2"
    assert "less than or equal to 1" in error.mend


def test_further_faults_are_counted():
    assert "1 more: canary" in refused(lambda: Endpoint("1", canary=2)).mend


def test_too_many_positional_values_are_refused():
    assert "takes 2 positional values, 3 were given" in str(refused(lambda: Source("a", "b", "c")))


def test_a_value_given_twice_is_refused():
    assert "given twice" in str(refused(lambda: Endpoint("a", name="b")))


def test_declarations_are_frozen_hashable_and_equal_by_content():
    one, two = Source("a", "x.csv", event_time="t", lag="90m"), Source("a", "x.csv", event_time="t", lag="90m")
    assert one == two
    assert hash(one) == hash(two)
    with pytest.raises(Exception, match="frozen"):
        one.name = "b"


def test_replace_validates():
    assert Budget(seconds=1).replace(seconds=2) == Budget(seconds=2)
    assert "Budget.seconds" in str(refused(lambda: Budget(seconds=1).replace(seconds=-1)))


def test_dump_and_restore_are_inverse():
    split = TimeSplit(train_until="2013-09-01", validate_until="2013-11-01", test_until="2013-12-01")
    contract = Contract(key="a", types={"b": "int"}, rows=(1, 2))
    for declaration in (split, contract, Source("a", "x", columns={"c": "d"})):
        assert restore(dump(declaration)) == declaration
        assert pickle.loads(pickle.dumps(declaration)) == declaration


def test_stored_state_can_name_no_other_code():
    for name in ("os:system", "noria.core.keys:content_key", "noria.declarations.stored:dump", "pathlib:Path"):
        with pytest.raises(IntegrityError, match="not a declaration"):
            restore({"@type": name})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Source("a", "b", lag="1h"), "lag says nothing without event_time"),
        (lambda: Contract(rows=(200, 100)), "the fewest rows first"),
        (lambda: Endpoint("late", hosts=["http://x"]), "is no host name"),
    ],
)
def test_what_can_have_no_effect_is_refused(make, words):
    assert words in str(refused(make))


@given(st.integers(0, 10**15))
def test_a_duration_reads_back_what_it_shows(micros):
    assert Source("a", "b", event_time="t", lag=duration_text(micros)).lag == micros


@pytest.mark.parametrize("text", ["", "9", "9x", "-1h", "1 hour", "h"])
def test_what_is_no_duration_is_refused(text):
    assert "a duration is a number and one of" in str(refused(lambda: Source("a", "b", event_time="t", lag=text)))


def test_the_parts_of_a_split_are_in_order():
    error = refused(lambda: TimeSplit(train_until="2013-09-01", validate_until="2013-08-01", test_until="2013-12-01"))
    assert "in order" in str(error)


def test_two_sources_of_one_name_are_refused(project_file: Path):
    from noria.declarations import FeatureView, load_project

    project = load_project(project_file)
    other = project.replace(features=[FeatureView("v", Source("parcels", "other.csv"), keys="courier")])
    assert "same name" in str(refused(lambda: other.sources))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: nr.bearer("hunter2"),
        lambda: nr.basic("ann", "hunter2"),
        lambda: nr.sql("postgresql://db/shop#orders", password="hunter2"),
        lambda: nr.Source("a", nr.rest("https://shop.example/orders", sign_in="hunter2")),
        lambda: type(nr.bearer(nr.secret("T")))("hunter2", token="hunter2"),
        lambda: type(nr.bearer(nr.secret("T")))(tokn="hunter2"),
        lambda: Source("a", "postgresql://ann:hunter2@db/shop", lag="postgresql://ann:hunter2@db/shop"),
        lambda: Source("a", "x.csv", lag={"a": ["password=hunter2"]}),
    ],
)
def test_an_error_shows_no_secret(wrong):
    assert "hunter2" not in str(refused(wrong))


def test_who_writes_a_secret_down_is_told_to_name_it():
    assert refused(lambda: nr.bearer("tok")).mend == 'name it, never write it down: nr.secret("NAME")'


def test_no_password_of_a_url_is_shown():
    source = Source("a", "postgresql://ann:hunter2@db/shop")
    for shown in (repr(source), str(source), f"{[source]}", repr(source.replace(name="b"))):
        assert "hunter2" not in shown
        assert "db/shop" in shown
    assert "token=Secret(reference='TOKEN')" in repr(nr.bearer(nr.secret("TOKEN")))
