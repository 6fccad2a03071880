"""Projects and what their steps leave, in every shape that a report meets."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from noria.contracts import ColumnProfile, Profile
from noria.declarations import Contract, Endpoint, Project, Rehearsal, Search, Source, Spine, TimeSplit
from noria.gates import BeatsBaseline
from noria.steps import Outcome

SPLIT = TimeSplit(train_until="2013-09-01", validate_until="2013-11-01", test_until="2013-12-01")


def estimate(value: float, width: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


@dataclass
class Shape:
    """What a project looks like; `text` is done to every text that a user, a file or an error could have written."""

    sources: int = 2
    rules: int = 3
    columns: int = 7
    features: int = 11
    slices: int = 3
    trials: int = 6
    gates: str = "promoted"  # or "refused", "waiting", "none"
    rehearsal: str | None = "played"  # or "quiet", "unanswered"
    undefined: bool = False
    important: bool = True
    tags: bool = True
    metric: str = "average_precision"
    text: Callable[[str], str] = field(default=lambda text: text)

    def project(self) -> Project:
        text = self.text
        found = [
            Source(
                f"source{n}",
                text(f"data/{n}.csv"),
                event_time=text("landed") if n == 0 else None,
                lag="90m" if n == 0 else 0,
                known_before=[text("carrier")] if n == 0 else (),
                contract=Contract(),
            )
            for n in range(self.sources)
        ]
        return Project(
            "flights",
            question=text("Will it be late?"),
            spine=Spine(found[0], time="t", label="late"),
            references=found[1:],
            search=Search("binary", metric=self.metric, split=SPLIT),
            gates=[] if self.gates == "none" else [BeatsBaseline()],
            endpoint=Endpoint("late"),
            rehearsal=Rehearsal("2013-12-01", "2014-01-01") if self.rehearsal else None,
            tags={text("team"): text("operations")} if self.tags else {},
        )

    def outcomes(self) -> dict[str, Outcome]:
        """What every step left, by name."""
        found = {f"ingest:source{n}": self._ingested(n) for n in range(self.sources)}
        found |= {f"profile:source{n}": self._profiled(n) for n in range(self.sources)}
        found |= {
            "training-set": Outcome(
                {"set": "file:artifacts/" + "0" * 32 + "/training_set.parquet"},
                {
                    "rows": 336_776,
                    "labelled": 327_346,
                    "unlabelled": 9_430,
                    "positives": 77_630,
                    "features": self._features(),
                },
            ),
            "materialise": Outcome({}, {"entities": {"carrier": 16}}),
            "train": Outcome({"model": "file:artifacts/" + "1" * 32 + "/model.onnx"}, self._trained()),
            "evaluate": Outcome({"evaluation": "file:artifacts/" + "2" * 32 + "/evaluation.json"}, self._evaluated()),
            "package": Outcome(
                {"package": "file:packages/" + "ab" * 16},
                {
                    "name": "late",
                    "version": "ab" * 6,
                    "digest": "ab" * 16,
                    "bytes": 51_344,
                    "files": {},
                    "commit": "",
                },
            ),
            "register": Outcome(
                {},
                {"version": "ab" * 6, "registry": "sqlite:///secret/path/mlflow.db", "run": "r", "model_version": "1"},
            ),
            "gates": Outcome({}, self._gated()),
        }
        if self.rehearsal:
            found["rehearse"] = Outcome({}, self._lived())
        return found

    def _ingested(self, n: int) -> Outcome:
        text = self.text
        verdicts = [
            {
                "rule": text(f"rule {rule}"),
                "column": text("c"),
                "on_fail": ("quarantine", "warn", "fix", "fail")[rule % 4],
                "checked": 1000 * (n + 1),
                "failed": rule,
                "examples": [text("row 5: 1048.36")] * min(rule, 3),
            }
            for rule in range(self.rules)
        ]
        facts = {
            "read": 1000 * (n + 1),
            "kept": 1000 * (n + 1) - 7,
            "quarantined": 7,
            "null_event_time": 9 * n,
            "reasons": {text("rule 1"): 4, text("c is no int"): 3},
            "verdicts": verdicts,
            "schema": {text("c"): "int"},
            "key": [text("c")],
            "bytes": 10**6,
        }
        return Outcome({"table": f"table:source{n}@0"}, facts)

    def _profiled(self, n: int) -> Outcome:
        facts = {"rows": 1000 * (n + 1), "columns": len(self.profile(n).columns), "personal": {}}
        return Outcome({"profile": f"file:artifacts/{n:032x}/profile.json"}, facts)

    def profile(self, n: int) -> Profile:
        """What is in a source's table, that the file of its outcome holds."""
        rows, text = 1000 * (n + 1), self.text
        kinds = [
            ColumnProfile(text("id"), "int", rows, distinct=rows, unique=True, low=1, high=rows),
            ColumnProfile(
                text("delay"), "float", rows, nulls=7, nans=2, distinct=900, low=-3.25, high=1301.0, mean=7.0, std=1.5,
                quantiles={"0.25": -1.0, "0.5": 2.5, "0.75": 11.0}, edges=(0.0, 1.0, 2.0), counts=(900, 0),
                top=(("1.5", 3),),
            ),
            ColumnProfile(
                text("carrier"), "string", rows, distinct=3, lengths=(2, 2), low="AA", high="UA",
                top=((text("UA"), rows - 100), (text("B6"), 60), (text("AA"), 40)), top_is_exact=n == 0,
            ),
            ColumnProfile(
                text("landed"), "timestamp", rows, distinct=rows, low="2013-01-01T05:00:00+00:00", every="day",
                high="2013-01-31T23:00:00+00:00", covered={"2013-01-01": 400, "2013-01-02": 2, "2013-01-31": 598},
                gaps=28,
            ),
            ColumnProfile(text("mail"), "string", rows, distinct=9, lengths=(9, 9), personal="e-mail"),
            ColumnProfile(text("late"), "bool", rows, distinct=1, top=(("true", rows),)),
            ColumnProfile(text("void"), "null", rows, nulls=rows),
        ]  # fmt: skip
        columns = tuple(replace(kinds[c % 7], name=f"{kinds[c % 7].name}{c // 7 or ''}") for c in range(self.columns))
        together = ((text("delay"), text("id"), -0.912), (text("id"), text("late"), 0.1))
        return Profile(0 if self.columns == 0 else rows, columns, ((columns[0].name,),) if columns else (), together)

    def _features(self) -> list[dict[str, str]]:
        return [
            {
                "name": self.text(f"feature_{n}"),
                "kind": "category" if n % 5 == 4 else "number",
                "view": "" if n % 3 == 2 else f"view{n % 3}",
                "text": self.text(f"mean of late over {n}d"),
            }
            for n in range(self.features)
        ]

    def _trained(self) -> dict[str, Any]:
        names = ["LightGBM", "LogisticRegression", "Baseline"]
        trials = [
            {
                "candidate": names[-1 - n % 3],
                "score": 0.3 + 0.4 * n / self.trials,
                "seconds": 0.5 + n,
                "params": {"rate": 0.1 / (n + 1), "by": [self.text("carrier")]},
            }
            for n in range(self.trials)
        ]
        weights = {feature["name"]: 2.0 ** -(n + 1) for n, feature in enumerate(self._features())}
        return {
            "metric": self.metric,
            "chosen": "LightGBM",
            "params": {"rate": 0.1},
            "why": self.text("LightGBM has the best average precision"),
            "validation": {"score": 0.7, "skill": 0.6, "rows": 54_321, "positives": 12_345, "scores": {}},
            "baseline": {"candidate": "Baseline", "score": 0.3, "scores": {}},
            "leaderboard": [
                {
                    "candidate": name,
                    "score": 0.7 - n / 10,
                    "trials": 2,
                    "params": {"by": [self.text("carrier")]},
                    "facts": {},
                    "seconds": 12.5,
                    "cpu_seconds": 20.0,
                }
                for n, name in enumerate(names)
            ],
            "trials": trials,
            "planned": 12,
            "cut_short": self.text("after 60 s") if self.trials < 12 else "",
            "rows": {"train": 210_987, "validate": 54_321, "train_positives": 50_000},
            "split": {
                "train": {"start": None, "end": "2013-09-01T00:00:00+00:00"},
                "validate": {"start": "2013-09-01T00:00:00+00:00", "end": "2013-11-01T00:00:00+00:00"},
                "test": {"start": "2013-11-01T00:00:00+00:00", "end": "2013-12-01T00:00:00+00:00"},
            },
            "importances": weights if self.important else {},
            "threshold": 0.3,
            "refit": "none: as it is",
            "calibration": {"way": "platt", "slopes": [1.0], "shift": 0.0, "log_loss": {}},
        }

    def _evaluated(self) -> dict[str, Any]:
        none = self.undefined
        scores = {name: None if none else estimate(0.6) for name in (self.metric, "roc_auc", "log_loss", "brier")}
        slices = [
            {
                "value": self.text(f"carrier {n}") if n else "",
                "rows": 5000 - n,
                "positives": n,
                **dict.fromkeys(("score", "baseline", "difference")),
            }
            if none or n % 7 == 5
            else {
                "value": self.text(f"carrier {n}") if n else "",
                "rows": 5000 - n,
                "positives": 100 + n,
                "score": estimate(0.4 + n / 1000),
                "baseline": estimate(0.2),
                "difference": estimate(0.2),
            }
            for n in range(self.slices)
        ]
        days = [date(2013, 11, 1) + timedelta(days=n) for n in range(30)]
        return {
            "metric": self.metric,
            "rows": 26_789,
            "positives": 5_432,
            "score": None if none else estimate(0.654),
            "baseline": None if none else estimate(0.321),
            "difference": None if none else estimate(0.333),
            "resampled": {"draws": 1000, "of": "30 days", "level": 0.95},
            "skill": None if none else 0.5,
            "scores": scores,
            "baseline_scores": scores,
            "slices": {self.text("carrier"): slices} if self.slices else {},
            "calibration": {
                "ece": 0.0123,
                "bins": [
                    {"rows": 2678, "predicted": n / 10, "observed": n / 11, "low": n / 12, "high": n / 10}
                    for n in range(10)
                ],
            },
            "daily": [
                {
                    "day": day.isoformat(),
                    "rows": 890,
                    "positives": 200,
                    "baseline": 0.3,
                    "score": None if day.day % 9 == 0 else 0.5 + day.day / 100,
                }
                for day in days
            ],
            "validation_skill": 0.6,
            "sealed": {"rows": 26_789, "digest": "d", "model": "m", "part": {}},
        }

    def _gated(self) -> dict[str, Any]:
        passed, waiting = self.gates == "promoted", self.gates == "waiting"
        findings = (
            []
            if self.gates == "none"
            else [
                {
                    "gate": "BeatsBaseline",
                    "parameters": {"margin": 0},
                    "passed": True,
                    "text": self.text("surely better"),
                    "facts": {},
                },
                {
                    "gate": "Approval",
                    "parameters": {"role": self.text("expert")},
                    "passed": passed,
                    "text": self.text("waits for an expert"),
                    "facts": {"waiting": True} if waiting else {},
                },
            ]
        )
        said = {"version": "ab" * 6, "promoted": passed, "waiting": waiting, "because": self.text("as the gates say")}
        return {**said, "findings": findings}

    def _lived(self) -> dict[str, Any]:
        quiet, none = self.rehearsal == "quiet", self.rehearsal == "unanswered"
        days = [date(2013, 12, 1) + timedelta(days=n) for n in range(31)]
        scores = dict.fromkeys(("score_frozen", "score_retrained", "difference"))
        return {
            "start": "2013-12-01T00:00:00+00:00",
            "end": "2014-01-01T00:00:00+00:00",
            "metric": self.metric,
            "frozen": "ab" * 6,
            "final": "ab" * 6 if quiet else "cd" * 6,
            "questions": 28_135,
            "requests": 20_123,
            "single": 0 if none else 15_432,
            "events": 30_456,
            "p50_ms": None if none else 0.834,
            "p99_ms": None if none else 4.25,
            "overall": {
                "rows": 28_135,
                "answered": 0 if none else 27_110,
                "positives": 0 if none else 9_021,
                **(
                    scores
                    if none
                    else {"score_frozen": 0.4321, "score_retrained": 0.4567, "difference": estimate(0.0246, 0.01)}
                ),
            },
            "days": [
                {
                    "day": day.isoformat(),
                    "rows": 900 + day.day,
                    "answered": 0 if none or day.day == 25 else 800 + day.day,
                    "positives": 0,
                    **(
                        scores
                        if none or day.day == 25
                        else {
                            "score_frozen": 0.4 + day.day / 1000,
                            "score_retrained": 0.5 - day.day / 1000,
                            "difference": estimate(0.1 - day.day / 500),
                        }
                    ),
                }
                for day in days
            ],
            "alarms": []
            if quiet
            else [
                {
                    "monitor": ("Drift", "Performance")[n % 2],
                    "at": f"2013-12-{1 + n:02d}T06:00:00+00:00",
                    "until": f"2013-12-{3 + n:02d}T06:00:00+00:00",
                    "checks": 3,
                    "action": ("alarm", "retrain")[n % 2],
                    "text": self.text("3 of 11 features moved away"),
                    "facts": {},
                    "version": "ab" * 6,
                }
                for n in range(9)
            ],
            "retrainings": [] if quiet else [self._retraining(n) for n in range(4)],
            "parity": {
                "rows": 28_135,
                "features": 11,
                "mismatches": 0 if quiet else 2,
                "largest": 0.5,
                "by_feature": {} if quiet else {self.text("feature_1"): 2},
                "examples": []
                if quiet
                else [
                    {
                        "feature": self.text("feature_1"),
                        "row": 7,
                        "time": "2013-12-01T00:00:00",
                        "offline": 1.5,
                        "online": None,
                    }
                ],
            },
            "cost": {"currency": "USD", "retraining": 0.00123, "serving": 0.000456, "per_thousand": 0.0000162},
            "seconds": {"start": 1.5, "events": 12.3, "requests": 34.5, "duties": 20.1, "whole": 81.2},
        }

    def _retraining(self, n: int) -> dict[str, Any]:
        canary = {
            "ended": "2013-12-20T06:00:00+00:00",
            "promoted": n == 0,
            "text": self.text("not surely worse"),
            "rows": {"champion": 100, "challenger": 20},
        }
        failed = {"gate": "Latency", "parameters": {}, "passed": False, "text": self.text("too slow"), "facts": {}}
        return {
            "at": f"2013-12-{8 + n:02d}T06:00:00+00:00",
            "because": self.text("skill 0.1 is below 0.2"),
            "monitor": "Performance",
            "version": f"cd{n}" * 4,
            "passed": n != 2,
            "seconds": 4.5,
            "cost": 0.0003,
            "steps": [],
            "findings": [failed] if n == 2 else [],
            "canary": canary if n < 2 else None,
        }
