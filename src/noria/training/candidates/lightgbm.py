"""LightGBM: gradient-boosted trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from noria.training.candidates.learner import Fitted, Learner, Params

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.models import Graph, Vocabulary
    from noria.training.rows import Rows

_METRICS = {"average_precision": "average_precision", "roc_auc": "auc", "log_loss": "binary_logloss"}
_PRIOR_ROWS = 20.0


class LightGBM(Learner):
    """Gradient-boosted trees, stopped early on the validation rows.

    Categories are ordinals in the order of their rate of positives in the training rows, so that one comparison parts
    them; values with few rows share one ordinal, which also answers for values never seen; null is missing. Trees
    learn for every split where missing values go. The same rows, parameters and seed give the same trees, on any
    number of cores.

    Parameters
    ----------
    rounds : int
        The most trees; 400 by default.
    patience : int
        Trees without a better validation score before it stops; 20 by default.
    rare : int
        Category values with fewer training rows are rare; 100 by default.
    threads : int
        Threads that train; 2 by default.

    Examples
    --------
    >>> LightGBM(rounds=1000, patience=50)
    LightGBM(rounds=1000, patience=50, rare=100, threads=2)
    """

    rounds: int = Field(default=400, ge=1)
    patience: int = Field(default=20, ge=1)
    rare: int = Field(default=100, ge=1)
    threads: int = Field(default=2, ge=1)

    most_trials: ClassVar[int | None] = None

    def first(self) -> dict[str, Any]:
        return {
            "learning_rate": 0.1,
            "leaves": 15,
            "leaf_rows": 200,
            "feature_share": 0.4,
            "row_share": 0.8,
            "l2": 10.0,
        }

    def space(self, trial: Any) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.2, log=True),
            "leaves": trial.suggest_int("leaves", 6, 63, log=True),
            "leaf_rows": trial.suggest_int("leaf_rows", 20, 5000, log=True),
            "feature_share": trial.suggest_float("feature_share", 0.2, 0.8),
            "row_share": trial.suggest_float("row_share", 0.5, 1.0),
            "l2": trial.suggest_float("l2", 0.1, 100.0, log=True),
        }

    def trainer(self, train: Rows, validate: Rows, metric: str, seed: int) -> Callable[[Params], Fitted]:
        import numpy as np

        from noria.models import Vocabulary

        lightgbm = _library()
        vocabulary = Vocabulary.learn(train.categories, self.rare)
        tables = tuple(
            _ordinals(indices, size, train.labels)
            for indices, size in zip(vocabulary.indices(train.categories), vocabulary.sizes(), strict=True)
        )
        binning = {
            "deterministic": True,
            "feature_pre_filter": False,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": seed,
            "verbosity": -1,
        }
        names = [f"f{place}" for place in range(train.numbers.shape[1] + len(tables))]
        data = lightgbm.Dataset(_encoded(train, vocabulary, tables), train.labels, params=binning, feature_name=names)
        data.construct()
        held = lightgbm.Dataset(_encoded(validate, vocabulary, tables), validate.labels, params=binning, reference=data)
        held.construct()

        def fit(params: Params) -> Trees:
            settings = {
                **binning,
                "objective": "binary",
                "metric": _METRICS[metric],
                "learning_rate": params["learning_rate"],
                "num_leaves": params["leaves"],
                "min_data_in_leaf": params["leaf_rows"],
                "feature_fraction": params["feature_share"],
                "bagging_fraction": params["row_share"],
                "bagging_freq": 1,
                "lambda_l2": params["l2"],
            }
            stop = lightgbm.early_stopping(self.patience, verbose=False)
            booster = lightgbm.train(settings, data, self.rounds, valid_sets=[held], callbacks=[stop])
            best = booster.best_iteration
            gains = tuple(float(gain) for gain in booster.feature_importance("gain", iteration=best))
            model = booster.model_to_string(num_iteration=best)
            return Trees(train.number_names, train.category_names, vocabulary, tables, model, best, gains)

        assert np.isin(train.labels, (0, 1)).all()
        return fit


def _library() -> Any:
    """LightGBM, with threads that soon sleep where they wait for each other.

    By default GNU OpenMP's threads spin, which is right where cores are idle. Beside other steps on the same cores the
    one that is waited for is kept from running: training took 17 times as long in a measurement on 2 busy cores.
    """
    import os

    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # read when the library is loaded
    import lightgbm

    return lightgbm


def _ordinals(indices: NDArray[np.int64], size: int, labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """The ordinal of each index by its rate of positives, drawn to the overall rate where rows are few; null is NaN."""
    import numpy as np

    rows = np.bincount(indices, minlength=size)
    positives = np.bincount(indices, weights=labels, minlength=size)
    rates = (positives + labels.mean() * _PRIOR_ROWS) / (rows + _PRIOR_ROWS)
    ordinals = np.empty(size)
    ordinals[1 + np.argsort(rates[1:], kind="stable")] = np.arange(size - 1)
    ordinals[0] = np.nan
    return ordinals


def _encoded(rows: Rows, vocabulary: Vocabulary, tables: tuple[NDArray[np.float64], ...]) -> NDArray[np.float32]:
    import numpy as np

    width = rows.numbers.shape[1]
    encoded = np.empty((len(rows), width + len(tables)), np.float32)
    encoded[:, :width] = rows.numbers
    for place, (indices, table) in enumerate(zip(vocabulary.indices(rows.categories), tables, strict=True)):
        encoded[:, width + place] = table[indices]
    return encoded


@dataclass(frozen=True, slots=True)
class Trees:
    """Trained trees, as LightGBM's own text."""

    number_names: tuple[str, ...]
    category_names: tuple[str, ...]
    vocabulary: Vocabulary
    tables: tuple[NDArray[np.float64], ...]
    text: str
    rounds: int
    gains: tuple[float, ...]

    @property
    def facts(self) -> dict[str, Any]:
        return {"trees": self.rounds}

    def margin(self, rows: Rows) -> NDArray[np.float64]:
        import numpy as np

        booster = _library().Booster(model_str=self.text)
        encoded = _encoded(rows, self.vocabulary, self.tables)
        return np.asarray(booster.predict(encoded, raw_score=True, num_threads=2), np.float64)

    def draw(self, graph: Graph) -> str:
        trees = _library().Booster(model_str=self.text).dump_model()["tree_info"]
        parts = [graph.doubles()] if self.number_names else []
        parts += [graph.lookup(self.vocabulary, self.tables)] if self.category_names else []
        inputs = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        # float64 throughout: thresholds and leaves are LightGBM's own, and a float32 input is exact in it.
        return graph.add("TreeEnsembleRegressor", inputs, domain="ai.onnx.ml", **_ensemble(trees))

    def importances(self) -> dict[str, float]:
        total = sum(self.gains) or 1.0
        names = (*self.number_names, *self.category_names)
        return {name: gain / total for name, gain in zip(names, self.gains, strict=True)}


def _ensemble(trees: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of the ONNX operator: one entry a node, trees one after the other."""
    import numpy as np

    modes, features, values, missing = [], [], [], []
    tree_ids, node_ids, true_ids, false_ids = [], [], [], []
    leaf_trees, leaf_nodes, weights = [], [], []
    for tree, info in enumerate(trees):
        for number, node, true, false in _numbered(info["tree_structure"]):
            leaf = "leaf_value" in node
            modes.append("LEAF" if leaf else "BRANCH_LEQ")
            features.append(0 if leaf else node["split_feature"])
            values.append(0.0 if leaf else node["threshold"])
            missing.append(0 if leaf else int(_missing_goes_left(node)))
            tree_ids.append(tree)
            node_ids.append(number)
            true_ids.append(true)
            false_ids.append(false)
            if leaf:
                leaf_trees.append(tree)
                leaf_nodes.append(number)
                weights.append(node["leaf_value"])
    return {
        "n_targets": 1,
        "nodes_modes": modes,
        "nodes_featureids": features,
        "nodes_values_as_tensor": np.array(values, np.float64),
        "nodes_missing_value_tracks_true": missing,
        "nodes_treeids": tree_ids,
        "nodes_nodeids": node_ids,
        "nodes_truenodeids": true_ids,
        "nodes_falsenodeids": false_ids,
        "target_ids": [0] * len(weights),
        "target_nodeids": leaf_nodes,
        "target_treeids": leaf_trees,
        "target_weights_as_tensor": np.array(weights, np.float64),
    }


def _numbered(root: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], int, int]]:
    """Nodes in order of their numbers, breadth first, each with the numbers of its left and right child."""
    queue, given = [root], 0
    for number, node in enumerate(queue):
        if "leaf_value" in node:
            yield number, node, 0, 0
        else:
            queue += [node["left_child"], node["right_child"]]
            yield number, node, given + 1, given + 2
            given += 2


def _missing_goes_left(node: Mapping[str, Any]) -> bool:
    """Where NaN goes: LightGBM takes it for 0 at a split that saw no missing value."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0)
