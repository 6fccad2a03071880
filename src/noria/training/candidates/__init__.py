"""Candidates: kinds of models that a search may choose, one file each."""

from noria.training.candidates.baseline import Baseline
from noria.training.candidates.learner import Fitted, Learner, Params
from noria.training.candidates.lightgbm import LightGBM
from noria.training.candidates.logistic_regression import LogisticRegression

__all__ = ["Baseline", "Fitted", "Learner", "LightGBM", "LogisticRegression", "Params"]
