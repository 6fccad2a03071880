import base64
import hashlib
import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from noria.console import step
from noria.console.figures import count, score, share
from noria.ledger import open_ledger

HOSTILE = (
    '<script src="http://evil.example/x.js">alert(1)</script>"\'><img src=x onerror=alert(1)>'
    "{{ 7*7 }}</style></svg>&lt; "
)
SHAPES = {
    "whole": {},
    "no rehearsal": {"rehearsal": None},
    "a quiet month": {"rehearsal": "quiet"},
    "nothing was answered": {"rehearsal": "unanswered"},
    "refused": {"gates": "refused"},
    "waits for a person": {"gates": "waiting"},
    "no gates": {"gates": "none"},
    "undefined scores": {"undefined": True},
    "empty contracts": {"rules": 0},
    "one source": {"sources": 1},
    "tables without columns": {"columns": 0},
    "wide tables": {"columns": 500},
    "many sources": {"sources": 9},
    "one trial, one feature, no slice": {"trials": 1, "features": 1, "slices": 0},
    "no importance": {"important": False},
    "large": {"features": 40, "slices": 200, "trials": 200, "sources": 9, "rules": 12},
    "negated metric": {"metric": "log_loss"},
    "no tags": {"tags": False},
    "unicode": {"text": lambda text: f"{text} Ünïcödé ←→ 漢字 עברית \u202e🛫"},
    "control characters": {"text": lambda text: f"{text}\x00\x0b\x1b[31m\x85\ufffe"},
    "hostile": {"text": lambda text: HOSTILE + text},
    "long": {"text": lambda text: text + "x" * 2000, "slices": 1, "features": 2},
}


@pytest.fixture(params=SHAPES)
def any_shape(request, shape):
    return shape(**SHAPES[request.param])


def test_every_shape_gives_a_sound_page(any_shape, report):
    made = report(any_shape)
    page = made.page
    assert len(page.html.encode()) < 1_000_000
    assert page.html.startswith("<!doctype html>")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for anchor in made.outcome.facts["sections"]:
        assert f'href="#{anchor}"' in page.html
    assert re.search(r"\b(nan|inf|None|undefined|Markup)\b", page.text.replace("not defined", "")) is None


def test_every_shape_is_shut_off_from_the_network_and_runs_nothing(any_shape, report):
    page = report(any_shape).page
    allowed = (
        "html head meta title style body main header footer nav section h1 h2 h3 p ul ol li dl dt dd div span b",
        "bdi br i a code table thead tbody tfoot tr th td figure figcaption details summary",
        "svg g line text path circle rect",
    )
    assert {tag for tag, _ in page.tags} <= set(" ".join(allowed).split())
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") or name in ("src", "style", "srcdoc", "action") for name in attrs), (
            tag,
            attrs,
        )
        if "href" in attrs:
            assert attrs["href"].removeprefix("#") in ids
    assert "url(" not in page.style
    assert "@import" not in page.style
    policy = next(attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_every_drawing_says_what_it_shows_or_hides_from_those_who_cannot_see_it(any_shape, report):
    for tag, attrs in report(any_shape).page.tags:
        if tag == "svg":
            assert attrs.get("aria-hidden") == "true" or (attrs["role"] == "img" and attrs["aria-label"])
        if tag == "th":
            assert attrs["scope"] in ("col", "row")


def test_hostile_text_is_shown_as_it_is(shape, report):
    page = report(shape(text=lambda text: HOSTILE + text)).page
    assert "{{ 7*7 }}" in page.text
    shown = page.tables["Rules of source1"][1]
    assert shown[0].startswith(HOSTILE)
    assert HOSTILE in page.tables["Gates and their evidence"][1][2]
    assert page.html.count("<script") == 0
    assert "&lt;script src=" in page.html


def test_what_a_page_cannot_hold_is_replaced(shape, report):
    page = report(shape(text=lambda text: f"{text}\x00")).page
    assert "Will it be late?�" in page.text
    assert "\x00" not in page.html


def cells(page, label):
    return [[cell.strip() for cell in row] for row in page.tables[label]]


def test_the_figures_are_those_of_the_facts(shape, report):
    one = shape(sources=1, slices=5)
    facts = {name: outcome.facts for name, outcome in one.outcomes().items()}
    page = report(one).page
    assert "Rows read 1,000 1 source, 7 quarantined" in page.text
    assert "Average precision, sealed test 0.654 95%: 0.604 to 0.704; baseline 0.321, difference +0.333" in page.text
    assert "Requests served 20,123 p50 0.83 ms, p99 4.25 ms" in page.text
    assert "Alarms 9 5 Drift, 4 Performance" in page.text
    assert "Retrainings 4 3 passed the gates, 1 took over" in page.text
    for verdict, row in zip(facts["ingest:source0"]["verdicts"], cells(page, "Rules of source0")[1:], strict=True):
        word = verdict["on_fail"] if verdict["failed"] else "holds"
        assert row[:4] == [verdict["rule"], word, count(verdict["checked"]), count(verdict["failed"])]
    for part, row in zip(facts["evaluate"]["slices"]["carrier"], cells(page, "Scores by carrier")[1:], strict=True):
        figures = [score(part["score"]["value"]), f"{part['score']['low']:.3f} to {part['score']['high']:.3f}"]
        assert row[:3] == [part["value"] or "(none)", count(part["rows"]), share(part["positives"], part["rows"])]
        assert row[4:] == [*figures, score(part["baseline"]["value"])]
    days = cells(page, "Scores by day")
    assert len(days) == 1 + 31 + 1
    for day, row in zip(facts["rehearse"]["days"], days[1:-1], strict=True):
        assert row[1:3] == [count(day["rows"]), count(day["answered"])]
        assert row[4:6] == [score(day["score_retrained"]), score(day["score_frozen"])]
    assert days[-1][1:6] == ["28,135", "27,110", "33.3%", "0.457", "0.432"]
    assert [row[3:5] for row in cells(page, "Parts of the split")[1:]] == [
        ["210,987", "23.7%"],
        ["54,321", "22.7%"],
        ["26,789", "20.3%"],
    ]
    assert [row[1] for row in cells(page, "Retrainings")[1:]] == ["took over", "rolled back", "refused", "no canary"]
    assert cells(page, "What the rehearsal measured")[-1][:2] == ["Time to play it", "81.2 s"]
    assert "Latency: too slow" in cells(page, "Retrainings")[3][2]


def test_costs_add_up_by_step_and_by_tag(shape, report):
    one = shape()
    steps = len(one.outcomes())
    page = report(one).page
    rows = cells(page, "Cost by step")
    shown = [float(row[6]) for row in rows[1:-1]]
    assert shown == pytest.approx([0.00025 * (n + 1) for n in range(steps)], abs=6e-5)
    assert float(rows[-1][6]) == pytest.approx(0.00025 * steps * (steps + 1) / 2, abs=6e-5)
    assert cells(page, "Cost by tag")[1] == ["team", "operations", rows[-1][6], "100.0%"]
    assert "for 1 try that failed" in page.text


def test_what_is_missing_is_said(shape, report):
    bare = report(shape(rehearsal=None, rules=0, slices=0, gates="none", tags=False, trials=1, important=False)).page
    for said in (
        "declares no rehearsal",
        "has no rules",
        "names no slices",
        "The project declares no gates",
        "has no tags",
        "Requests served – not rehearsed",
        "no importance to show",
    ):
        assert said in bare.text
    refused = report(shape(gates="refused"), folder="s").page
    assert "takes no requests: as the gates say." in refused.text
    quiet = report(shape(rehearsal="quiet"), folder="q").page
    assert "No alarm asked for a retraining" in quiet.text
    assert "waits for a person's decision" in report(shape(gates="waiting"), folder="g").page.text
    undefined = report(shape(undefined=True), folder="u").page
    assert "is not defined: all their answers are the same" in undefined.text


def test_the_verdict_on_retraining_goes_by_the_interval(shape, report):
    def said(low, high, folder):
        one = shape()
        difference = {"value": (low + high) / 2, "low": low, "high": high}
        lived = one._lived()
        lived["overall"] |= {"difference": difference}
        one._lived = lambda: lived
        return report(one, folder=folder).page.text

    assert "Retraining was worth it: average precision 0.457 with it, 0.432 without" in said(0.01, 0.02, "a")
    assert "Retraining made no sure difference" in said(-0.01, 0.02, "b")
    assert "Retraining did harm" in said(-0.02, -0.01, "c")


def test_no_path_or_secret_of_the_workspace_is_shown(shape, report, monkeypatch):
    one = shape(text=lambda text: text)
    project = one.project()
    secret = project.spine.source.replace(origin="postgresql://ann:secret@db/shop?key=veiled")
    monkeypatch.setattr(
        one, "project", lambda: project.replace(spine=project.spine.replace(source=secret)), raising=False
    )
    made = report(one)
    assert "postgresql://***@db/shop" in made.page.text
    for hidden in ("ann:", "secret", "veiled", str(made.workspace.root)):
        assert hidden not in made.page.html


def test_the_same_facts_give_the_same_bytes(shape, report):
    one = shape(slices=40)
    first = report(one).page.html
    assert report(one).page.html == first
    assert report(one, as_stored=True).page.html == first
    later = report(one, at=datetime(2026, 11, 25, 13, 31, tzinfo=UTC)).page.html
    assert later != first
    assert later.replace("25 Nov 2026, 13:31", "24 Nov 2026, 12:30") == first


def test_it_reads_the_ledger_as_of_its_own_run(shape, report):
    one = shape(rehearsal=None)
    made = report(one)
    before = cells(made.page, "Cost by step")
    ledger = open_ledger(made.workspace.ledger)
    event = next(ledger.events(kind="step.finished", subject="train"))
    ledger.append("step.finished", "train", run="r2", body={**event.body, "key": "other", "cost": 99.0})
    ledger.close()
    after = report(one)
    assert cells(after.page, "Cost by step") == before
    assert after.outcome.facts["seen"] == made.outcome.facts["seen"] + 1
    assert after.outcome.facts["head"] in after.page.text


def test_the_file_is_replaced_whole(shape, report):
    one = shape()
    made = report(one)
    assert made.outcome.outputs == {"report": "file:report.html"}
    assert made.outcome.facts["bytes"] == made.workspace.report.stat().st_size
    assert sorted(path.name for path in made.workspace.root.iterdir() if "report" in path.name) == ["report.html"]
    broken = shape()
    broken._trained = lambda: {}
    with pytest.raises(KeyError):
        report(broken)
    assert made.workspace.report.read_text(encoding="utf-8") == made.page.html


def test_its_key_hangs_on_the_look_and_the_project(shape, monkeypatch):
    keys = dict.fromkeys(shape(sources=3).outcomes(), "k")
    (*_, plain), (*_, asked) = step(shape().project()), step(shape(text=str.upper).project())
    assert plain.key(keys) != asked.key(keys)
    monkeypatch.setattr("noria.console.page._text", lambda name: "another style")
    *_, restyled = step(shape().project())
    assert restyled.key(keys) != plain.key(keys)


def test_what_the_tables_hold_is_shown(shape, report):
    page = report(shape(sources=1)).page
    rows = cells(page, "Columns of source0")
    assert [row[0] for row in rows[1:3]] == ["id tells rows apart", "delay"]
    assert rows[2][1:-1] == ["float", "0.70%", "900", "−3.25 to 1301", ""]
    assert rows[2][-1] == "median 2.5, half of them −1 to 11; 2 values not finite"
    assert rows[3][-1] == "UA (90.0%), B6 (6.0%), AA (4.0%)"
    assert rows[4][-1] == "31 days, 28 of them without a row"
    assert rows[5][0] == "mail e-mail"
    assert [row[-1] for row in rows[5:]] == ["its values are not shown", "always true", "nothing"]
    assert "Go together (correlation): delay and id (−0.91)." in page.text
    wide = report(shape(sources=1, columns=500), folder="wide").page
    assert len(cells(wide, "The other columns of source0")) == 1 + 188
    assert "300 columns more" in wide.text
