"""NoWorseSlice: nobody is worse off than with the simple rule."""

from __future__ import annotations

from pydantic import Field

from noria.declarations import Project
from noria.gates.check import Check, Finding
from noria.gates.evidence import Evidence


class NoWorseSlice(Check):
    """In no slice with enough rows is the score below the interval of the baseline's score there.

    Parameters
    ----------
    column : str
        The feature whose values are the slices; `Search.slices` must name it.
    rows : int
        Slices with fewer rows of the sealed test are too few to say; they are counted.

    Examples
    --------
    >>> NoWorseSlice("carrier")
    NoWorseSlice(column='carrier', rows=200)
    """

    column: str = Field(kw_only=False, min_length=1)
    rows: int = Field(default=200, ge=2)

    def refuse_useless(self, project: Project) -> None:
        if self.column not in project.search.slices:
            raise self.refuse(
                "the search scores no slices by this column",
                field="column",
                value=self.column,
                mend=f'Search(…, slices=["{self.column}"])',
            )

    def check(self, evidence: Evidence) -> Finding:
        slices = evidence.slices[self.column]
        judged = [
            (part.value or "(none)", part.score, part.baseline)
            for part in slices
            if part.rows >= self.rows and part.score is not None and part.baseline is not None
        ]
        worse = [one for one in judged if one[1].value < one[2].low]
        names = ", ".join(f"{value} ({score.value:.3f} against {baseline})" for value, score, baseline in worse)
        few = len(slices) - len(judged)
        if worse:
            text = f"worse than the baseline by {self.column}: {names}"
        elif judged:
            text = f"none of {len(judged)} slices by {self.column} is worse than the baseline"
        else:
            text = f"no slice by {self.column} has {self.rows} rows with both answers"
        facts = [{"value": one[0], "score": one[1].to_body(), "baseline": one[2].to_body()} for one in worse]
        return Finding(
            bool(judged) and not worse,
            text + (f"; {few} have too few rows" if few and judged else ""),
            {"column": self.column, "rows": self.rows, "judged": len(judged), "too_few": few, "worse": facts},
        )
