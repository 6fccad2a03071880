"""Schedule: when a project is due, who sees to it, and how other schedulers are told."""

from noria.schedule.export import TARGETS, File, export
from noria.schedule.follow import Followed, follow
from noria.schedule.times import start_of, times_after

__all__ = ["TARGETS", "File", "Followed", "export", "follow", "start_of", "times_after"]
