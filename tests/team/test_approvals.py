import contextlib

import pytest

from noria.core import DeclarationError, GateError
from noria.declarations import Member, Team
from noria.ledger import open_ledger
from noria.team import approve, decision

TEAM = Team(members=[Member("ann", roles=["expert", "lead"]), Member("bob", roles="expert"), Member("eve")])


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        for version in ("aaaa1111", "aaaa2222", "bbbb"):
            ledger.append("version.packaged", f"model:late@{version}", actor="bob", body={"version": version})
        yield ledger


def test_a_decision_is_an_event_about_the_version(ledger):
    event = approve(ledger, TEAM, "expert", "bbbb", "it holds", actor="ann")
    assert (event.kind, event.subject, event.actor) == ("approval.given", "model:late@bbbb", "ann")
    assert event.body == {"version": "bbbb", "role": "expert", "text": "it holds"}
    assert decision(ledger, "expert", "bbbb") == event
    assert decision(ledger, "lead", "bbbb") is None
    assert decision(ledger, "expert", "aaaa1111") is None


def test_the_last_word_counts(ledger):
    approve(ledger, TEAM, "expert", "bbbb", "it holds", actor="ann")
    refused = approve(ledger, TEAM, "expert", "bbbb", "it does not", refuse=True, actor="bob")
    assert decision(ledger, "expert", "bbbb") == refused
    approve(ledger, TEAM, "expert", "bbbb", "it does after all", actor="ann")
    assert decision(ledger, "expert", "bbbb").kind == "approval.given"


def test_a_version_may_be_given_by_its_beginning(ledger):
    assert approve(ledger, TEAM, "expert", "aaaa1", "yes", actor="ann").body["version"] == "aaaa1111"
    with pytest.raises(DeclarationError, match="more than one version begins so"):
        approve(ledger, TEAM, "expert", "aaaa", "yes", actor="ann")


@pytest.mark.parametrize("actor", ["eve", "mallory"])
def test_whoever_lacks_the_role_is_refused(ledger, actor):
    with pytest.raises(GateError, match=f"'{actor}' does not have the role 'expert'") as caught:
        approve(ledger, TEAM, "expert", "bbbb", "please", actor=actor)
    assert caught.value.mend == "ask ann, bob"
    assert not list(ledger.events(kind="approval.*"))


def test_whoever_made_it_may_decide_only_in_the_role(ledger, monkeypatch):
    monkeypatch.setenv("NORIA_ACTOR", "bob")
    assert approve(ledger, TEAM, "expert", "bbbb", "I know my work").actor == "bob"
    with pytest.raises(GateError):
        approve(ledger, TEAM, "lead", "bbbb", "I know my work")


@pytest.mark.parametrize(
    ("version", "because", "said"),
    [("cccc", "yes", "no such version"), ("bbb", "yes", "no such version"), ("bbbb", " ", "needs a reason")],
)
def test_what_makes_no_sense_is_refused(ledger, version, because, said):
    with pytest.raises(DeclarationError, match=said):
        approve(ledger, TEAM, "expert", version, because, actor="ann")


def test_the_same_is_not_said_twice(ledger):
    approve(ledger, TEAM, "expert", "bbbb", "yes", actor="ann")
    with pytest.raises(DeclarationError, match="already said so"):
        approve(ledger, TEAM, "expert", "bbbb", "yes!", actor="ann")
    approve(ledger, TEAM, "expert", "bbbb", "yes too", actor="bob")
