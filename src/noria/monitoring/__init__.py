"""What is watched on an endpoint: one file a monitor; an alarm's action is a value that others perform."""

from noria.monitoring.drift import Drift
from noria.monitoring.performance import Performance
from noria.monitoring.prediction_drift import PredictionDrift
from noria.monitoring.watch import Alarm, Watch
from noria.monitoring.window import Window

__all__ = [
    "Alarm",
    "Drift",
    "Performance",
    "PredictionDrift",
    "Watch",
    "Window",
]
