"""Spine: the rows to predict."""

from __future__ import annotations

from pydantic import Field

from noria.declarations.declaration import Declaration, Expressions
from noria.declarations.source import Source


class Spine(Declaration):
    """The rows to predict: when the question is asked, what the answer is, and when that is known.

    Parameters
    ----------
    source : Source
        One row a question.
    time : str, optional
        Row expression: when the question is asked. It may read only what is known before the event. Without one the
        table has no time: all rows stand beside each other, and a `RandomSplit` parts them.
    label : str
        Row expression: the answer. Rows without one are counted and never trained on.
    known : str, optional
        Row expression: when the answer is known; by default the source's event time plus its lag.
    features : dict of str to str, optional
        Row expressions worked out at question time from what the request carries (``source.known_before``) and from
        the fetched features, such as the hour of day. They become features of the model under their names.
    """

    source: Source = Field(kw_only=False)
    time: str | None = None
    label: str
    known: str | None = None
    features: Expressions = ()
