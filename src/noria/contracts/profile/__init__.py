"""Profile: what is in a table, in one pass over batches and in bounded memory; and what it suggests."""

from noria.contracts.profile.difference import Difference, differences
from noria.contracts.profile.infer import inferred
from noria.contracts.profile.personal import Suspicion, kinds_declared, suspected
from noria.contracts.profile.profiler import Profiler, profile_of
from noria.contracts.profile.proposal import MOST_COLUMNS, Proposal, propose
from noria.contracts.profile.result import ColumnProfile, Profile

__all__ = [
    "MOST_COLUMNS",
    "ColumnProfile",
    "Difference",
    "Profile",
    "Profiler",
    "Proposal",
    "Suspicion",
    "differences",
    "inferred",
    "kinds_declared",
    "profile_of",
    "propose",
    "suspected",
]
