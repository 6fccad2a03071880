"""Noria: the whole life of a machine-learning model as one program.

Names are imported when they are first used, so that ``import noria`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# name -> the room that exports it
_ROOMS = {
    "declarations": (
        "Budget",
        "Contract",
        "Endpoint",
        "Evolution",
        "FeatureView",
        "Incremental",
        "Limits",
        "Member",
        "Project",
        "RandomSplit",
        "Rehearsal",
        "Schedule",
        "Search",
        "Source",
        "Spine",
        "Team",
        "TimeSplit",
        "load_project",
        "secret",
    ),
    "contracts": (
        "aggregate",
        "between",
        "date_format",
        "distribution",
        "duplicates",
        "expression",
        "freshness",
        "length",
        "matches",
        "monotonic",
        "no_gaps",
        "not_null",
        "one_of",
        "outliers",
        "private",
        "refers",
        "unique",
        "volume",
    ),
    "sources": (
        "api_key",
        "basic",
        "bearer",
        "cursor",
        "files",
        "link_header",
        "mutual_tls",
        "next_link",
        "oauth2",
        "offset",
        "pages",
        "rest",
        "ssh",
    ),
    "features": ("count", "first", "last", "max", "mean", "min", "std", "sum"),
    "training": (
        "Baseline",
        "LightGBM",
        "LogisticRegression",
        "bins",
        "clip",
        "cycle",
        "encode",
        "impute",
        "rare",
        "scale",
        "text_length",
        "units",
    ),
    "gates": (
        "Approval",
        "BeatsBaseline",
        "ContractKept",
        "GeneralisationGap",
        "Latency",
        "NoWorseSlice",
        "Parity",
    ),
    "monitoring": ("Drift", "Performance", "PredictionDrift"),
    "core": ("NoriaError",),
}
_TABLE = {name: room for room, names in _ROOMS.items() for name in names}

if TYPE_CHECKING:
    from noria.contracts import (
        aggregate,
        between,
        date_format,
        distribution,
        duplicates,
        expression,
        freshness,
        length,
        matches,
        monotonic,
        no_gaps,
        not_null,
        one_of,
        outliers,
        private,
        refers,
        unique,
        volume,
    )
    from noria.core import NoriaError
    from noria.declarations import (
        Budget,
        Contract,
        Endpoint,
        Evolution,
        FeatureView,
        Incremental,
        Limits,
        Member,
        Project,
        RandomSplit,
        Rehearsal,
        Schedule,
        Search,
        Source,
        Spine,
        Team,
        TimeSplit,
        load_project,
        secret,
    )
    from noria.features import count, first, last, max, mean, min, std, sum
    from noria.gates import (
        Approval,
        BeatsBaseline,
        ContractKept,
        GeneralisationGap,
        Latency,
        NoWorseSlice,
        Parity,
    )
    from noria.monitoring import Drift, Performance, PredictionDrift
    from noria.sources import (
        api_key,
        basic,
        bearer,
        cursor,
        files,
        link_header,
        mutual_tls,
        next_link,
        oauth2,
        offset,
        pages,
        rest,
        ssh,
    )
    from noria.training import (
        Baseline,
        LightGBM,
        LogisticRegression,
        bins,
        clip,
        cycle,
        encode,
        impute,
        rare,
        scale,
        text_length,
        units,
    )

__all__ = [
    "Approval",
    "Baseline",
    "BeatsBaseline",
    "Budget",
    "Contract",
    "ContractKept",
    "Drift",
    "Endpoint",
    "Evolution",
    "FeatureView",
    "GeneralisationGap",
    "Incremental",
    "Latency",
    "LightGBM",
    "Limits",
    "LogisticRegression",
    "Member",
    "NoWorseSlice",
    "NoriaError",
    "Parity",
    "Performance",
    "PredictionDrift",
    "Project",
    "RandomSplit",
    "Rehearsal",
    "Schedule",
    "Search",
    "Source",
    "Spine",
    "Team",
    "TimeSplit",
    "aggregate",
    "api_key",
    "basic",
    "bearer",
    "between",
    "bins",
    "clip",
    "count",
    "cursor",
    "cycle",
    "date_format",
    "distribution",
    "duplicates",
    "encode",
    "expression",
    "files",
    "first",
    "freshness",
    "impute",
    "last",
    "length",
    "link_header",
    "load_project",
    "matches",
    "max",
    "mean",
    "min",
    "monotonic",
    "mutual_tls",
    "next_link",
    "no_gaps",
    "not_null",
    "oauth2",
    "offset",
    "one_of",
    "outliers",
    "pages",
    "private",
    "rare",
    "refers",
    "rest",
    "scale",
    "secret",
    "ssh",
    "std",
    "sum",
    "text_length",
    "unique",
    "units",
    "volume",
]


def __getattr__(name: str) -> Any:
    room = _TABLE.get(name)
    if room is None:
        import difflib

        near = difflib.get_close_matches(name, __all__, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ": see dir(noria)"
        raise AttributeError(f"module 'noria' has no attribute '{name}'{hint}")
    value = getattr(importlib.import_module(f"noria.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
