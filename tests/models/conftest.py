"""A version that was really trained, packaged and signed, on the small training set of tests/training."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from noria.models import Package, open_package
from noria.models import steps as model_steps
from noria.security import SigningKey
from noria.training import Baseline, LightGBM, LogisticRegression
from noria.training import steps as training_steps

_SPEC = importlib.util.spec_from_file_location(
    "small_training_set", Path(__file__).parent.parent / "training" / "conftest.py"
)
_SMALL = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SMALL)
training_set, parts, project, workspace, do = (
    _SMALL.training_set, _SMALL.parts, _SMALL.project, _SMALL.workspace, _SMALL.do
)  # fmt: skip

CANDIDATES = {
    "baseline": (Baseline("carrier"),),
    "line": (Baseline(), LogisticRegression(rare=20)),
    "trees": (Baseline(), LightGBM(rounds=60, rare=20, threads=1)),
}


@pytest.fixture
def made(do: Callable[..., Any], project: Any, workspace: Any) -> Callable[[str], tuple[Any, Any]]:
    """Train, evaluate and package with some candidates: (project, outcomes)."""

    def make(kind: str) -> tuple[Any, Any]:
        search = project.search.model_copy(update={"candidates": CANDIDATES[kind], "trials": 2})
        declared = project.model_copy(update={"search": search})
        return declared, do((*training_steps(declared), model_steps(declared)[0]), suffix=f"-{kind}")

    return make


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SigningKey]:
    """A package of a small model with all its files, and who signed it. Nobody writes into it."""
    import numpy as np

    from noria.models import Graph, Manifest, ModelFeature
    from noria.models.package import write_package

    root = tmp_path_factory.mktemp("signed")
    graph = Graph(numbers=2, categories=1)
    model = graph.finish(
        graph.add("Sigmoid", graph.add("MatMul", "numbers", graph.constant(np.ones((2, 1), np.float32))))
    )
    manifest = Manifest(
        format=1, name="late", created="2013-12-01T00:00:00+00:00", views=[], spine={}, metric="roc_auc",
        features=(ModelFeature("a", "number"), ModelFeature("carrier", "category"), ModelFeature("b", "number")),
        scores={}, threshold=0.5, inputs={}, commit="", files={},
    )  # fmt: skip
    files = {"model.onnx": model, "baseline.onnx": model, "training.json": b'{"seed": 0}',
             "evaluation.json": b'{"rows": 1}', "card.md": b"# late\n"}  # fmt: skip
    key = SigningKey.load_or_create(root / "keys")
    return write_package(root / "packages", manifest, files, key), key


@pytest.fixture
def copy(signed: tuple[Path, SigningKey], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(signed[0], tmp_path / signed[0].name))


@pytest.fixture
def opened(signed: tuple[Path, SigningKey]) -> Callable[[Path], Package]:
    """Open a folder as the server does."""
    return lambda folder: open_package(folder, signed[1].public)
