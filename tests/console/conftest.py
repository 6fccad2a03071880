"""The report of any shape, made by the real step over a real ledger, and read back."""

import contextlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from noria.console import step
from noria.core import ToldClock
from noria.declarations import Project
from noria.ledger import open_ledger
from noria.steps import Outcome, StepContext, file_of
from noria.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))
from shapes import Shape

MADE = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
METERS = {
    "wall_seconds": 1.5,
    "cpu_seconds": 2.25,
    "peak_bytes": 2 * 10**8,
    "read_bytes": 10**6,
    "written_bytes": 10**4,
}


class Page(HTMLParser):
    """A page, read back: it fails on a tag that is not closed by its own."""

    VOID = frozenset({"meta", "br"})
    INLINE = frozenset({"b", "bdi", "i", "a", "code", "span"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self._table = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        if tag in self.VOID:
            return
        self._open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if dict(attrs).get("class") == "scroll":
            self._table = dict(attrs)["aria-label"] or ""
            self.tables[self._table] = []
        if tag == "tr":
            self.tables[self._table].append([])
        if tag in ("td", "th"):
            self.tables[self._table][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes {self._open}"
        self._open.pop()
        if tag not in self.INLINE:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
            return
        if "svg" in self._open:
            return
        self.texts.append(data)
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if "td" in self._open or ("th" in self._open and "table" in self._open):
            self.tables[self._table][-1][-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


@dataclass
class Made:
    """A report that was made, and all around it."""

    page: Page
    outcome: Outcome
    workspace: Workspace


@pytest.fixture
def shape() -> type[Shape]:
    return Shape


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Made]:
    """Makes the report of a shape with the real step, over a real ledger that was told of every step."""

    def make(shape: Shape, *, at: datetime = MADE, as_stored: bool = False, folder: str = "w") -> Made:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        workspace = Workspace(root, root / "project.py", f"sqlite:///{root}/ledger.db", "", "", "")
        project, outcomes = shape.project(), shape.outcomes()
        if not (root / "ledger.db").exists():
            _tell(workspace, project, outcomes, shape)
        if as_stored:
            outcomes = {
                name: Outcome(dict(each.outputs), json.loads(json.dumps(dict(each.facts), sort_keys=True)))
                for name, each in outcomes.items()
            }
        for n in range(shape.sources):
            file = file_of(workspace, outcomes[f"profile:source{n}"].outputs["profile"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(shape.profile(n).to_body()), encoding="utf-8")
        *_, made = step(project)
        assert set(made.inputs) == set(outcomes)
        context = StepContext(workspace, "f" * 32, outcomes, run="r1", clock=ToldClock(root / "clock", at))
        outcome = made.function(context)
        return Made(Page(workspace.report.read_text(encoding="utf-8")), outcome, workspace)

    return make


def _tell(workspace: Workspace, project: Project, outcomes: dict[str, Outcome], shape: Shape) -> None:
    with contextlib.closing(
        open_ledger(workspace.ledger, ToldClock(workspace.root / "clock", MADE - timedelta(hours=1)))
    ) as ledger:
        plan = [{"step": name, "key": f"{n:032x}", "reason": "first run"} for n, name in enumerate(outcomes)]
        body = {
            "commit": "0123456789abcdef",
            "dirty": True,
            "versions": {"python": "3.11", "noria": "0.1.0"},
            "plan": plan,
        }
        ledger.append("run.started", "run:r1", run="r1", body=body)
        ledger.append("step.failed", "train", run="r1", body={"error": shape.text("no"), "cost": 0.001, "key": "0"})
        for n, (name, outcome) in enumerate(outcomes.items()):
            body = {
                "key": f"{n:032x}",
                "reason": shape.text("first run"),
                "meters": METERS,
                "cost": 0.00025 * (n + 1),
                "currency": "USD",
                "tags": {shape.text("team"): shape.text("operations")} if shape.tags else {},
                "outcome": {"outputs": dict(outcome.outputs), "facts": {}},
            }
            ledger.append(
                "step.finished",
                name,
                run="r1",
                inputs=(shape.text("table:source0@0"),),
                outputs=tuple(outcome.outputs.values()),
                body=body,
            )
