"""Project: the declarations of one problem."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SerializeAsAny

from noria.declarations.declaration import Declaration
from noria.declarations.endpoint import Endpoint
from noria.declarations.feature_view import FeatureView
from noria.declarations.gate import Gate
from noria.declarations.limits import Limits
from noria.declarations.monitor import Monitor
from noria.declarations.rehearsal import Rehearsal
from noria.declarations.schedule import Schedule
from noria.declarations.search import Search
from noria.declarations.source import Source
from noria.declarations.spine import Spine
from noria.declarations.team import Team


def _as_team(value: object) -> object:
    """A list of members is a team."""
    return Team(tuple(value)) if isinstance(value, list | tuple) else value


class Project(Declaration):
    """The declarations of one problem, in one file.

    Parameters
    ----------
    name : str
        Of the project.
    question : str, optional
        What is asked, in a sentence that people read in reports and model cards.
    spine : Spine
        The rows to predict.
    features : list of FeatureView
        What is known about the entities in them.
    references : list of Source
        Sources that only rules of other sources refer to, such as the list of airports.
    search : Search
        What is trained.
    gates : list of Gate
        What a version must show before it is promoted.
    endpoint : Endpoint
        How it is served.
    monitors : list of Monitor
        What is watched in the rehearsal.
    rehearsal : Rehearsal, optional
        The past period to live again before going live.
    team : Team or list of Member
        Who may decide.
    schedule : Schedule, optional
        When it is brought up to date.
    limits : Limits
        What a run and its steps may take.
    tags : dict
        What costs are charged to: ``{"team": "operations"}``.
    """

    name: str = Field(kw_only=False, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    question: str = ""
    spine: Spine
    features: tuple[FeatureView, ...] = ()
    references: tuple[Source, ...] = ()
    search: Search
    gates: tuple[SerializeAsAny[Gate], ...] = ()
    endpoint: Endpoint
    monitors: tuple[SerializeAsAny[Monitor], ...] = ()
    rehearsal: Rehearsal | None = None
    team: Annotated[Team, BeforeValidator(_as_team)] = Team()
    schedule: Schedule | None = None
    limits: Limits = Limits()
    tags: dict[str, str] = Field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.spine, self.features, self.search, self.endpoint))

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every source that the spine, the features and rules read, each once, in the order of first use."""
        found: dict[str, Source] = {}
        for source in (self.spine.source, *(view.source for view in self.features), *self.references):
            if found.setdefault(source.name, source) != source:
                raise source.refuse("two different sources have the same name", field="name", value=source.name)
        return tuple(found.values())
