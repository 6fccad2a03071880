"""ContractKept: the data that it was trained on kept its contracts."""

from __future__ import annotations

from pydantic import Field

from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence


class ContractKept(Check):
    """No rule that says fail was broken, and few rows were quarantined.

    Parameters
    ----------
    quarantined : float
        The largest share of a source's rows that may be in quarantine.

    Examples
    --------
    >>> ContractKept(quarantined=0.05)
    ContractKept(quarantined=0.05)
    """

    quarantined: float = Field(default=0.01, kw_only=False, ge=0, le=1)

    def check(self, evidence: Evidence) -> Finding:
        faults = []
        shares = {}
        for source, facts in evidence.ingested.items():
            broken = [verdict for verdict in facts["verdicts"] if verdict["on_fail"] == "fail" and verdict["failed"]]
            faults += [f"{source}: {verdict['rule']} failed in {verdict['failed']:,} rows" for verdict in broken]
            share = shares[source] = facts["quarantined"] / max(facts["read"], 1)
            if share > self.quarantined:
                faults.append(f"{source}: {share:.2%} of its rows are in quarantine")
        rows = sum(facts["read"] for facts in evidence.ingested.values())
        count = sum(facts["quarantined"] for facts in evidence.ingested.values())
        return Finding(
            not faults,
            "; ".join(faults)
            or f"{rows:,} rows of {len(shares)} sources: no rule failed, {count:,} rows in quarantine "
            f"(at most {self.quarantined:.1%} of a source may be)",
            {"rows": rows, "quarantined": count, "shares": shares, "limit": self.quarantined, "faults": faults},
        )
