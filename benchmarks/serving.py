"""One row over HTTP: the flights example's own model behind Noria's whole request path, and behind its peers."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison
from benchmarks.environment import python_with
from noria.core import ToldClock
from noria.declarations import Project, dump, load_project
from noria.lake import open_lake
from noria.ledger import open_ledger
from noria.models import Manifest, ModelFeature
from noria.models.package import FORMAT, write_package
from noria.plan import compile_plan, plan_steps
from noria.run import execute
from noria.security import SigningKey
from noria.serving import Routes, ServerProcess, write_routes
from noria.training import LightGBM
from noria.training.calibration import calibrate
from noria.training.export import export
from noria.training.rows import Rows, read_rows
from noria.training.splits import parts_of
from noria.workspace import Workspace, workspace_of

HERE = Path(__file__).parent
CONNECTIONS = 8
REPEATS = 7
SECONDS = 2.0
ROWS = 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NORIA_WORKSPACE"] = str(folder / "workspace")
        workspace = workspace_of(HERE.parent / "examples" / "flights")
        project = load_project(workspace.project_file).model_copy(update={"rehearsal": None})
        trees = prepare(project, workspace, folder)
        endpoint = project.endpoint.name
        with contextlib.ExitStack() as stack:
            noria = stack.enter_context(ServerProcess(project, workspace, clock=folder / "clock"))
            theirs = python_with("fastapi", "uvicorn[standard]", "lightgbm", "numpy")
            thread, versions = stack.enter_context(peer(theirs, "fastapi_lightgbm", folder, "thread"))
            loop, _ = stack.enter_context(peer(theirs, "fastapi_lightgbm", folder, "loop"))
            bare, _ = stack.enter_context(peer(Path(sys.executable), "bare_granian", folder))
            asked = {
                "infer": (noria.port, f"/v2/models/{endpoint}/infer", folder / "infer.jsonl"),
                "rows": (noria.port, f"/v1/{endpoint}", folder / "rows.jsonl"),
                "thread": (thread, "/predict", folder / "named.jsonl"),
                "loop": (loop, "/predict", folder / "named.jsonl"),
                "bare": (bare, "/", folder / "bare.jsonl"),
            }
            found = measure(asked)
        report(found, trees, versions)


def measure(asked: dict[str, tuple[int, str, Path]]) -> dict[str, dict[str, float]]:
    """Medians of repeats that take turns, so that what else the machine does falls on all alike."""
    for each in asked.values():
        load(*each, 1.0)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
    for _ in range(REPEATS):
        for name, each in asked.items():
            runs[name].append(load(*each, SECONDS))
    found = {}
    for name, each_run in runs.items():
        rates = [run["requests"] / run["seconds"] for run in each_run]
        found[name] = {"rate": statistics.median(rates), "low": min(rates), "high": max(rates)}
        found[name] |= {key: statistics.median(run[key] for run in each_run) for key in ("p50", "p99")}
        found[name]["client"] = statistics.median(run["cpu"] / run["seconds"] for run in each_run)
        print(name, {key: round(value, 6) for key, value in found[name].items()}, file=sys.stderr, flush=True)
    return found


def load(port: int, path: str, bodies: Path, seconds: float) -> dict[str, float]:
    command = [sys.executable, HERE / "peers" / "http_load.py", str(port), path, str(CONNECTIONS), str(seconds), bodies]
    said: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said


def report(found: dict[str, dict[str, float]], trees: int, versions: dict[str, str]) -> None:
    def note(name: str) -> str:
        one = found[name]
        own = found["rows" if name == "rows" else "infer"]
        return (
            f"p50 {own['p50'] * 1e3:.2f} ms, p99 {own['p99'] * 1e3:.2f} ms"
            + (f"; theirs {one['p50'] * 1e3:.2f} and {one['p99'] * 1e3:.2f} ms" if one is not own else "")
            + f"; the load generator takes {own['client']:.0%} of a core"
        )

    what = f"one row over HTTP, {CONNECTIONS} connections, {trees} trees, features in the body"
    rate, fastapi = found["infer"]["rate"], "FastAPI + uvloop + LightGBM"
    for name, how, goal in (("thread", "def", "6x"), ("loop", "async def", "")):
        theirs = found[name]["rate"]
        most = f"; the bare parts reach {found['bare']['rate'] / theirs:.1f}x"
        Comparison(what, "/s", rate, f"{fastapi}, `{how}`", theirs, goal, note(name) + most, versions).say()
    Comparison(what, "/s", rate, "bare granian + ONNX Runtime", found["bare"]["rate"], "0.65", note("bare")).say()
    what = "the same, keys in the body, the features fetched from the store"
    peer = f"{fastapi}, `def`, features in the body"
    Comparison(what, "/s", found["rows"]["rate"], peer, found["thread"]["rate"], note=note("rows")).say()


@contextlib.contextmanager
def peer(python: Path, name: str, *arguments: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A peer's server while the block runs: its port and versions."""
    command = [python, HERE / "peers" / f"{name}.py", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            yield said["port"], said["versions"]
        finally:
            process.terminate()


def prepare(project: Project, workspace: Workspace, folder: Path) -> int:
    """Ingest, make the training set, fill the store, train, package; write what peers and load need. How many trees."""
    with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
        steps = [
            one.step
            for one in compile_plan(project, workspace, ledger).steps
            if one.step.name.startswith("ingest:") or one.step.name in ("training-set", "materialise")
        ]
        outcomes = execute(plan_steps(project, steps, workspace, ledger), workspace, ledger).outcomes
    made = outcomes["training-set"]
    path = workspace.root / made.outputs["set"].removeprefix("file:")
    parts = parts_of(project.search.split)
    train, validate, test = (
        read_rows(path, made.facts["features"], part.rows()) for part in (parts.train, parts.validate, parts.test)
    )
    trees = LightGBM().trainer(train, validate, project.search.metric, 0)(LightGBM().first())
    model = export(trees, calibrate(trees.margin(validate), validate.labels), train)
    write_version(project, workspace, made.facts, model)
    (folder / "model.onnx").write_bytes(model)
    (folder / "model.txt").write_text(trees.text)
    categories = {
        name: {"": None, "*": table[1]} | dict(zip(levels, table[2:].tolist(), strict=True))
        for name, levels, table in zip(trees.category_names, trees.vocabulary.levels, trees.tables, strict=True)
    }
    (folder / "features.json").write_text(json.dumps({"numbers": trees.number_names, "categories": categories}))
    write_bodies(folder, test)
    write_rows(project, workspace, folder)
    return int(trees.facts["trees"])


def write_version(project: Project, workspace: Workspace, facts: Any, model: bytes) -> None:
    manifest = Manifest(
        format=FORMAT, name=project.endpoint.name, created="", metric=project.search.metric, scores={}, threshold=0.5,
        features=tuple(ModelFeature(one["name"], one["kind"]) for one in facts["features"]),
        views=[dump(view) for view in project.features], spine=dump(project.spine), schemas=facts["schemas"],
        inputs={}, commit="", files={},
    )  # fmt: skip
    key = SigningKey.load_or_create(workspace.keys)
    version = write_package(workspace.packages, manifest, {"model.onnx": model}, key).name[:12]
    write_routes(workspace.serving / project.endpoint.name, Routes({version: 1.0}))


def write_bodies(folder: Path, rows: Rows) -> None:
    """The same rows of the sealed test as each server wants them."""
    chosen = np.random.default_rng(0).choice(len(rows), ROWS, replace=False)
    strings = rows.strings()
    bodies: dict[str, list[Any]] = {"infer": [], "named": [], "bare": []}
    for place in chosen:
        numbers = [None if np.isnan(value) else round(float(value), 6) for value in rows.numbers[place]]
        texts = list(strings[place])
        bodies["bare"].append({"numbers": numbers, "categories": texts})
        bodies["named"].append(dict(zip((*rows.number_names, *rows.category_names), (*numbers, *texts), strict=True)))
        bodies["infer"].append({"inputs": [
            {"name": "numbers", "shape": [1, len(numbers)], "datatype": "FP32", "data": numbers},
            {"name": "categories", "shape": [1, len(texts)], "datatype": "BYTES", "data": texts},
        ]})  # fmt: skip
    for name, each in bodies.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(body) for body in each))


def write_rows(project: Project, workspace: Workspace, folder: Path) -> None:
    """The last flights of the table as a caller knows them, and a clock that stands where they are asked about."""
    source = project.spine.source
    table = open_lake(workspace.lake).read(source.name).select("_row", *source.known_before)
    rows = table.sort("scheduled").tail(ROWS).drop("_row").collect()
    ToldClock(folder / "clock", start=rows["scheduled"].min() - timedelta(hours=1))
    bodies = [{name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
              for row in rows.iter_rows(named=True)]  # fmt: skip
    (folder / "rows.jsonl").write_text("\n".join(json.dumps({"rows": [body]}) for body in bodies))


if __name__ == "__main__":
    main()
