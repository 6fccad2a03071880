"""Whatever files and declarations say: each row is kept, set aside or dropped, or one error says what is wrong."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import noria as nr
from noria import ingest
from noria.contracts import RowRule
from noria.core import DataError, DeclarationError, NoriaError, ToldClock
from noria.declarations import Contract, Endpoint, Evolution, Incremental, Project, Search, Source, Spine, TimeSplit
from noria.ingest import by_key
from noria.lake import open_lake
from noria.steps import StepContext
from noria.workspace import Workspace

SPLIT = TimeSplit(train_until="2013-01-01", validate_until="2013-02-01", test_until="2013-03-01")


def fuzz(examples):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)


class Shelf:
    """A folder of files, and loads of them."""

    def __init__(self, folder: Path):
        self.folder, self.number = folder, 0
        root = folder / ".noria"
        root.mkdir()
        (folder / "data").mkdir()
        self.clock = ToldClock(folder / "clock", start=datetime(2026, 1, 1, tzinfo=UTC))
        self.workspace = Workspace(
            root, folder / "project.py", f"sqlite:///{root}/ledger.db", f"file://{root}/lake",
            f"lmdb:///{root}/online", f"sqlite:///{root}/mlflow.db",
        )  # fmt: skip
        self.lake = open_lake(self.workspace.lake)

    def put(self, name, text):
        (self.folder / "data" / name).write_bytes(text)

    def load(self, source):
        """One ingest, as a run does it: what does not fit is refused while it is planned."""
        self.number += 1
        self.clock.tell(self.clock.now() + timedelta(hours=1))
        spine = Spine(source, time=source.event_time or "at", label="n > 1")
        project = Project("small", spine=spine, endpoint=Endpoint("e"), search=Search("binary", split=SPLIT))
        (step,) = ingest.steps(project, self.folder, self.workspace)
        if not self.lake.tables():
            ingest.schemas_of(project, self.folder, {})
        return step.function(StepContext(self.workspace, f"key{self.number}", {}, clock=self.clock))

    def frame(self, outcome, what):
        if what not in outcome.outputs:
            return None
        name, _, version = outcome.outputs[what].removeprefix("table:").rpartition("@")
        return self.lake.read(name, int(version)).collect()

    def versions(self):
        return [one.version for one in self.lake.versions("data")]

    def tables(self):
        """What is in the lake now, as a reader sees it."""
        return {name: canonical(self.lake.read(name).collect(), ()) for name in self.lake.tables() if "__" not in name}

    def tried(self, source):
        """The outcome, whose counts are those of its tables; None where an error told why, and nothing was written."""
        before = self.versions()
        try:
            outcome = self.load(source)
        except NoriaError as caught:
            error = caught
            outcome = None
        if outcome is None:
            assert error.message
            assert self.versions() == before
            return None
        facts, kept, aside = outcome.facts, self.frame(outcome, "table"), self.frame(outcome, "quarantine")
        assert facts["read"] == facts["kept"] + facts["quarantined"] + facts["dropped"]
        assert len(kept) == facts["kept"]
        assert (0 if aside is None else len(aside)) == facts["quarantined"]
        numbers = [*kept["_row"], *([] if aside is None else aside["_row"])]
        assert len(set(numbers)) == len(numbers)
        assert None not in numbers
        if aside is not None:
            assert all(len(reasons) for reasons in aside["_reasons"])
        return outcome


@pytest.fixture
def shelf(tmp_path_factory):
    return lambda: Shelf(tmp_path_factory.mktemp("shelf"))


# -- what stands in files --------------------------------------------------------------------------------------------

NAMES = [
    "a", "b", "id", "n", "at", "x y", "a.b", 'say "x"', "it's", "`x`", "select", "from", "null", "TRUE", " now", "now",
    "wrong", "_copy", "_last", "_deleted", "_at", "known", "gone", "literal", "len", "index", "🐎", "größe", "x\ny",
    "column_1", "count", "values", "x", "key", "$1", "\\", "{}", "%s", "time", "made", "^a", "b$", "still", "row_nr",
]  # fmt: skip
TAKEN = ["_row", "_reasons", "*", "^a.*$", ""]
texts = st.one_of(
    st.sampled_from(["", " ", "null", "NaN", "inf", "true", "00501", "+1", "1e400", "🐎", "a\nb", 'q"q', "x,y", "'",
                     "\ufeff", "1", "2.5", "2026-01-01", "2026-01-01 10:00", "9" * 30, "{}", "é", "a", " a"]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=6),
)  # fmt: skip
whole = st.one_of(st.integers(-3, 9), st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, -(2**63)]))
huge = st.one_of(whole, st.sampled_from([2**63, 2**64, 10**25]))
floats = st.one_of(st.integers(-3, 9).map(float), st.floats())
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda at: at.isoformat(" "))
near = st.integers(-500, 100).map(lambda hours: (datetime(2026, 1, 1) + timedelta(hours=hours)).isoformat(" "))
days = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(str)
VALUES = {
    "int": whole, "huge": huge, "float": floats, "text": texts, "bool": st.booleans(),
    "moment": st.one_of(near, moments), "near": near, "day": days, "null": st.none(), "few": st.integers(0, 2),
    "word": st.sampled_from(["a", "b", " A", "ab"]), "mixed": st.one_of(whole, floats, texts, st.booleans()),
}  # fmt: skip


@st.composite
def columns(draw, most=5):
    """Column names, and what stands there."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=most, unique=True))
    if draw(st.integers(0, 19)) == 7:
        names.append(draw(st.sampled_from(TAKEN)))
    return {name: draw(st.sampled_from(list(VALUES))) for name in names}


@st.composite
def rows_of(draw, kinds, most=8):
    """Rows of them, some of which are the same."""
    each = st.tuples(*(st.one_of(VALUES[kind], VALUES[kind], VALUES[kind], st.none()) for kind in kinds.values()))
    rows = draw(st.lists(each, min_size=draw(st.sampled_from([0, *[1] * 9])), max_size=most))
    if rows and draw(st.booleans()):
        rows += draw(st.lists(st.sampled_from(rows), max_size=3))
    return rows


def as_csv(names, rows, cut=0):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(["" if value is None else value for value in row][: len(row) - cut] for row in rows)
    return file.getvalue().encode()


def as_jsonl(names, rows, cut=0):
    return "".join(
        json.dumps(dict(list(zip(names, row, strict=True))[: len(row) - cut])) + "\n" for row in rows
    ).encode()


def as_parquet(names, rows, cut=0):
    columns = {}
    for at, name in enumerate(names):
        given = [row[at] for row in rows]
        try:
            columns[name] = pl.Series(given, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            columns[name] = pl.Series([None if value is None else str(value) for value in given], dtype=pl.String)
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


FORMATS = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}
DURATIONS = ["1h", "400d"]


NUMBERS, TEXTS, MOMENTS = ("int", "float", "few"), ("text", "word"), ("moment", "near")


@st.composite
def rules(draw, kinds):
    """A rule of any kind; now and then on columns that it does not fit."""
    odd = draw(st.integers(0, 9)) == 7

    def column(*fit):
        fitting = [name for name, kind in kinds.items() if odd or not fit or kind in fit]
        if not fitting:
            raise LookupError
        return draw(st.sampled_from(fitting))

    on_fail = draw(st.sampled_from(["fail", "quarantine", "quarantine", "quarantine", "warn", "fix"]))
    each = {"on_fail": on_fail, "at_most": draw(st.sampled_from([None, None, 0, 1, 0.5, 1.0]))}
    fix = {"fix": draw(st.sampled_from([["trim"], ["lower", "trim"]]))} if on_fail == "fix" else {}
    fill = {"fill": draw(st.sampled_from([0, "x", 1.5, True]))} if on_fail == "fix" else {}
    low, high = draw(st.sampled_from([-1, 0, 0.5])), draw(st.sampled_from([1, 5.5, 10**20]))
    lone, by, most = (
        {"on_fail": on_fail},
        {"by": [column()]} if draw(st.booleans()) else {},
        draw(st.sampled_from(["1h", "400d"])),
    )
    quoted = '"{}"'.format(column(*NUMBERS).replace('"', '""')) if odd or set(kinds.values()) & set(NUMBERS) else "1"
    makes = [
        lambda: nr.between(column(*NUMBERS), low, high, **each),
        lambda: nr.not_null(column(), **fill, **each),
        lambda: nr.one_of(column("few"), [1, 2], **fix, **each),
        lambda: nr.one_of(column(*TEXTS), ["a", ""], **fix, **each),
        lambda: nr.one_of(column("bool"), [True], **each),
        lambda: nr.matches(column(*TEXTS), draw(st.sampled_from(["^a", "", "🐎", "[0-9]+$"])), **fix, **each),
        lambda: nr.length(column(*TEXTS), 1, 3, **fix, **each),
        lambda: nr.date_format(column(*TEXTS), "%Y-%m-%d", **each),
        lambda: nr.unique(sorted({column(), column()}), **each),
        lambda: nr.duplicates([column()], **each),
        lambda: nr.duplicates(**each),
        lambda: nr.duplicates([column()], time=column(*MOMENTS), within="1h", **each),
        lambda: nr.monotonic(column(*NUMBERS, *MOMENTS), strict=draw(st.booleans()), **by, **each),
        lambda: nr.outliers(column(*NUMBERS), draw(st.sampled_from(["iqr", "mad", "z"])), least=2, **by, **each),
        lambda: nr.private(column(*TEXTS, "few"), **each),
        lambda: nr.expression(f"{quoted} > 1", **each),
        lambda: nr.aggregate(f"SUM({quoted}) > 3", **lone),
        lambda: nr.freshness(column(*MOMENTS), most, **lone),
        lambda: nr.no_gaps(column(*MOMENTS), most, **by, **lone),
        lambda: nr.volume(**lone),
        lambda: nr.distribution(column(*NUMBERS, *TEXTS), **lone),
    ]
    try:
        return draw(st.sampled_from(makes))()
    except (NoriaError, ValueError, LookupError):  # no column fits it, or it cannot even be declared
        return None


@st.composite
def contracts(draw, kinds):
    key = draw(st.one_of(st.just([]), st.lists(st.sampled_from(list(kinds)), max_size=2, unique=True)))
    typed = draw(st.lists(st.sampled_from(list(kinds)), max_size=2, unique=True))
    types = st.sampled_from(["bool", "int", "float", "string", "date", "timestamp"])
    told = [rule for rule in draw(st.lists(rules(kinds), max_size=5)) if rule is not None]
    return Contract(key=key, rules=told, types={name: draw(types) for name in typed})


@fuzz(40)
@given(data=st.data())
def test_any_table_by_any_contract(shelf, data):
    shelf, kinds = shelf(), data.draw(columns())
    rows, kind = data.draw(rows_of(kinds)), data.draw(st.sampled_from(list(FORMATS)))
    cut = data.draw(st.sampled_from([*[0] * 9, 1]))
    shelf.put(f"1.{kind}", FORMATS[kind](list(kinds), rows, cut))
    outcome = shelf.tried(Source("data", f"data/*.{kind}", contract=data.draw(contracts(kinds))))
    if outcome is not None and not (kind == "csv" and len(kinds) == 1):  # there an empty line is no row
        assert outcome.facts["read"] == len(rows)


STEADY = ("few", "bool", "near", "word")


@st.composite
def loads_of(draw, kinds):
    return draw(st.lists(rows_of(kinds, most=5), min_size=1, max_size=4))


def canonical(frame, drop=("_row",)):
    """Rows as a sorted list of texts, which tells equal tables."""
    if frame is None:
        return []
    frame = frame.drop(drop, strict=False)
    return sorted(repr([row[name] for name in sorted(row)]) for row in frame.to_dicts())


@fuzz(25)
@given(data=st.data())
def test_files_that_come_one_by_one_are_all_there_once(shelf, data):
    """What is added load by load is what one load adds, where both take all of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_key, "PARTS", 3)
        patch.setattr(by_key, "MOST_AT_ONCE", data.draw(st.sampled_from([1, by_key.MOST_AT_ONCE])))
        are_all_there_once(shelf, data)


def are_all_there_once(shelf, data):
    kinds, kind = data.draw(columns(most=3)), data.draw(st.sampled_from(list(FORMATS)))
    steady = data.draw(st.booleans())  # else what a column is hangs on what came first
    if steady:
        kinds = {name: kind if kind in STEADY else "few" for name, kind in kinds.items()}
    loads, contract = data.draw(loads_of(kinds)), data.draw(contracts(kinds))
    update = data.draw(st.sampled_from(["append", "merge"])) if contract.key else "append"
    cursors = [name for name, what in kinds.items() if what in ("int", "float", "few", "near", "moment")]
    cursor = data.draw(st.sampled_from([None, None, *cursors]))
    lookback = data.draw(st.sampled_from([0, 3])) if cursor is not None and kinds[cursor] != "near" else 0
    evolution = Evolution(
        type=data.draw(st.sampled_from(["fail", "quarantine", "add"])), new="add", lost="ignore", unit="warn"
    )
    source = Source(
        "data",
        f"data/*.{kind}",
        contract=contract,
        evolution=evolution,
        incremental=Incremental(cursor, lookback=lookback, update=update),
    )
    one, many = shelf(), shelf()
    read, lone = 0, None
    for number, rows in enumerate(loads):
        text = FORMATS[kind](list(kinds), rows)
        one.put(f"{number}.{kind}", text)
        many.put(f"{number}.{kind}", text)
        before = many.tables()
        lone = many.tried(source)
        if lone is None:
            assert many.tables() == before
            return
        read += len(rows)
        if update == "append" and cursor is None and not (kind == "csv" and len(kinds) == 1):
            assert lone.facts["read"] == read  # of what is merged, what came again as it was counts once
        again = many.tried(source)
        assert again is not None
        assert again.outputs == lone.outputs
    whole = one.tried(source)
    if whole is None:
        return
    if steady and cursor is None and all(isinstance(rule, RowRule) and rule.at_most is None for rule in contract.rules):
        assert canonical(many.frame(lone, "table")) == canonical(one.frame(whole, "table"))


# -- what the fuzz found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["*", "^a.*$"])
def test_a_column_whose_name_means_others_is_refused(shelf, name):
    shelf = shelf()
    shelf.put("1.csv", f"{name},b\n1,2\n".encode())
    with pytest.raises(DataError, match="a pattern of names") as caught:
        shelf.load(Source("data", "data/*.csv"))
    assert caught.value.value == name


def test_a_number_that_no_table_holds_is_one_bad_row(shelf):
    shelf = shelf()
    shelf.put("1.parquet", as_parquet(["a", "b"], [(1, 1), (2**63, 2)]))
    outcome = shelf.tried(Source("data", "data/*.parquet"))
    assert shelf.frame(outcome, "table")["b"].to_list() == [1]
    assert shelf.frame(outcome, "quarantine")["_reasons"].to_list() == [["a is no int: 9223372036854775808"]]


def test_a_column_that_had_no_value_is_what_the_first_one_is(shelf):
    shelf, source = shelf(), Source("data", "data/*.csv", incremental=Incremental())
    shelf.put("1.csv", b"a,b\n,1\n")
    assert shelf.frame(shelf.tried(source), "table").schema["a"] == pl.String  # tables have no type for nothing
    shelf.put("2.csv", b"a,b\n5,2\n")
    assert shelf.frame(shelf.tried(source), "table").sort("_row")["a"].to_list() == [None, 5]


def test_a_column_that_has_no_value_can_be_filled(shelf):
    shelf, contract = shelf(), Contract(rules=[nr.not_null("a", on_fail="fix", fill=7)])
    shelf.put("1.csv", b"a,b\n,1\n")
    assert shelf.frame(shelf.tried(Source("data", "data/*.csv", contract=contract)), "table")["a"].to_list() == [7]


def test_a_source_may_have_columns_of_any_name_of_our_own(shelf):
    """They were taken for what a merge says of a row."""
    shelf, names = shelf(), ["_at", "_copy", "_last", "_deleted", "wrong", "gone", "still"]
    source = Source("data", "data/*.csv", contract=Contract(key="_at"), incremental=Incremental("_last"))
    for number, deleted in enumerate(["true", "false"]):
        shelf.put(
            f"{number}.csv",
            as_csv(names, [(1, 1, number, deleted, 1, 1, 1), (2 + number, 1, number, deleted, 1, 1, 1)]),
        )
        outcome = shelf.tried(source)
    rows = shelf.frame(outcome, "table").sort("_at")
    assert rows["_at"].to_list() == [1, 2, 3]
    assert rows["_deleted"].to_list() == [False, True, False]


def test_a_rule_that_reads_a_column_twice_is_refused(shelf):
    shelf, contract = shelf(), Contract(rules=[nr.monotonic("a", by="a")])
    shelf.put("1.csv", b"a\n1\n")
    with pytest.raises(DeclarationError, match="a column stands twice"):
        shelf.load(Source("data", "data/*.csv", contract=contract))


def test_a_row_of_300_columns(shelf):
    shelf, names = shelf(), [f"c {number}" for number in range(300)]
    contract = Contract(key="c 0", rules=[nr.between("c 299", 0, 1, on_fail="quarantine")])
    shelf.put("1.csv", as_csv(names, [tuple([row] * 300) for row in range(3)]))
    outcome = shelf.tried(Source("data", "data/*.csv", contract=contract))
    assert (outcome.facts["kept"], outcome.facts["quarantined"]) == (2, 1)
