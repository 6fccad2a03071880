"""The closed nouns of Noria: frozen, typed, without behaviour. Kinds of the open ones live in their rooms."""

from noria.declarations.budget import Budget
from noria.declarations.contract import Contract, OnFail, Rule
from noria.declarations.declaration import Declaration, Expressions, Micros, Names, as_pairs, duration_text
from noria.declarations.endpoint import Endpoint
from noria.declarations.evolution import Evolution
from noria.declarations.feature_view import Aggregate, FeatureView
from noria.declarations.gate import Gate
from noria.declarations.incremental import Incremental
from noria.declarations.limits import Limits
from noria.declarations.load import find_project, load_project, projects_in, read_settings
from noria.declarations.monitor import Monitor
from noria.declarations.origin import Origin, SignIn
from noria.declarations.project import Project
from noria.declarations.rehearsal import Rehearsal
from noria.declarations.schedule import Schedule
from noria.declarations.search import Candidate, Preprocessor, RandomSplit, Search, TimeSplit
from noria.declarations.secret import Secret, secret
from noria.declarations.source import Source
from noria.declarations.spine import Spine
from noria.declarations.stored import dump, restore
from noria.declarations.team import Member, Team

__all__ = [
    "Aggregate",
    "Budget",
    "Candidate",
    "Contract",
    "Declaration",
    "Endpoint",
    "Evolution",
    "Expressions",
    "FeatureView",
    "Gate",
    "Incremental",
    "Limits",
    "Member",
    "Micros",
    "Monitor",
    "Names",
    "OnFail",
    "Origin",
    "Preprocessor",
    "Project",
    "RandomSplit",
    "Rehearsal",
    "Rule",
    "Schedule",
    "Search",
    "Secret",
    "SignIn",
    "Source",
    "Spine",
    "Team",
    "TimeSplit",
    "as_pairs",
    "dump",
    "duration_text",
    "find_project",
    "load_project",
    "projects_in",
    "read_settings",
    "restore",
    "secret",
]
