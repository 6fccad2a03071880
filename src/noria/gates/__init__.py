"""What a version must show before it is promoted: one file a gate, and the step that asks them all."""

from noria.gates.agreement import Agreement, agreement
from noria.gates.approval import Approval
from noria.gates.baseline import BeatsBaseline
from noria.gates.check import Check, Finding
from noria.gates.contract import ContractKept
from noria.gates.evidence import Evidence, Interval, Slice
from noria.gates.generalisation import GeneralisationGap
from noria.gates.latency import Latency
from noria.gates.parity import Parity
from noria.gates.slices import NoWorseSlice
from noria.gates.steps import steps

__all__ = [
    "Agreement",
    "Approval",
    "BeatsBaseline",
    "Check",
    "ContractKept",
    "Evidence",
    "Finding",
    "GeneralisationGap",
    "Interval",
    "Latency",
    "NoWorseSlice",
    "Parity",
    "Slice",
    "agreement",
    "steps",
]
