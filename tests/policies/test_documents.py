"""Who may do what with a document: every label, role, action and time, against a model in this test's own words."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import DESK, Case, PersonId
from policies.documents import rights as documents
from policies.documents.document import (
    Action,
    BlobId,
    Consent,
    Document,
    DocumentId,
    Grant,
    Kept,
    Label,
    Version,
    is_stricter,
    strictest,
)
from policies.documents.files import Kind
from policies.documents.rights import Allowed, Denied, Wish, may, relabelled, revoked
from tests.policies.builders import AT, agreed_case, both_sides, caucus_of, named

CASE = both_sides(
    "!party add Ann ann@example.net as counsel on Smith",
    "!party add Sue sue@example.net as supporter on Smith",
    "!party add Ina ina@example.net as interpreter on Smith",
    "!party add Ina ina@example.net as interpreter on Jones",
    "!party add Bob bob@example.net as counsel on Jones",
    "!party add Eva eva@example.net as expert",
    "!party add Ole ole@example.net as observer",
)
PEOPLE = tuple(p.name for p in CASE.people)
HERS = caucus_of(CASE, "Smith")
SMITHS = {"Alice", "Ann", "Sue", "Ina"}
"""Who reads the private room of the side Smith, mediators aside."""


def kept(text: str) -> Kept:
    return Kept(BlobId(f"b{text}"), f"hash of {text}", 10)


def version(number: int = 1, label: Label = Label.CAUCUS) -> Version:
    return Version(number, label, Kind.PDF, "application/pdf", AT, kept(f"clean {number}"), kept(f"original {number}"))


def document(label: Label = Label.CAUCUS, owner: str = "Alice", *, at_desk: bool = False) -> Document:
    home = DESK if at_desk else HERS
    return Document(DocumentId("D1"), named(CASE, owner).id, home, "brief.pdf", (version(label=label),))


def who(name: str) -> PersonId:
    return named(CASE, name).id


def given_to(name: str, *, action: Action = Action.VIEW, number: int = 1, consent: bool = True) -> Document:
    """A document of Alice's that was granted, with her consent."""
    doc = document(Label.CONSENT)
    grant = Grant(number, who(name), action, who("Mia"), AT)
    agreed = (Consent(doc.newest.served.sha256, who(name), action, AT, "yes"),) if consent else ()
    return replace(doc, grants=(grant,), consents=agreed)


def allowed(doc: Document, name: str, action: Action = Action.VIEW, at: datetime = AT, case: Case = CASE) -> bool:
    return isinstance(may(case, doc, Wish(who(name), action, 1, at)), Allowed)


def seeing(doc: Document) -> set[str]:
    return {name for name in PEOPLE if allowed(doc, name)}


@pytest.mark.parametrize("action", Action)
def test_what_was_granted_to_nobody_is_seen_by_its_side_and_the_mediators_alone(action: Action) -> None:
    assert {name for name in PEOPLE if allowed(document(), name, action)} == {"Mia", *SMITHS}


def test_what_is_privileged_is_not_even_seen_by_mediators() -> None:
    assert seeing(document(Label.PRIVILEGED)) == {"Alice", "Ann"}


def test_what_is_for_the_mediators_is_seen_by_its_owner_and_them() -> None:
    assert seeing(document(Label.MEDIATORS)) == {"Mia", "Alice"}


def test_a_document_of_the_desk_is_seen_there_and_by_its_owner() -> None:
    assert seeing(document(Label.CAUCUS, "Eva", at_desk=True)) == {"Mia", "Eva"}
    assert seeing(document(Label.PRIVILEGED, "Eva", at_desk=True)) == {"Eva"}


@pytest.mark.parametrize("label", [Label.CONSENT, Label.JOINT])
def test_no_label_by_itself_shows_anything_to_the_other_side(label: Label) -> None:
    assert seeing(document(label)) == {"Mia", *SMITHS}


def test_a_grant_with_its_owners_consent_opens_it_to_that_person_alone() -> None:
    assert seeing(given_to("Bob")) == {"Mia", *SMITHS, "Bob"}


def test_a_grant_without_its_owners_consent_opens_nothing() -> None:
    assert not allowed(given_to("Bob", consent=False), "Bob")


def test_consent_for_one_version_is_none_for_the_next() -> None:
    doc = given_to("Bob").with_version(version(2))
    doc = replace(doc, grants=(*doc.grants, Grant(2, who("Bob"), Action.VIEW, who("Mia"), AT)))
    doc = relabelled(doc, 2, Label.CONSENT, AT)
    assert allowed(doc, "Bob")
    assert may(CASE, doc, Wish(who("Bob"), Action.VIEW, 2, AT)) == Denied("its owner has not agreed")


def test_to_view_is_not_to_download_and_to_download_is_to_view() -> None:
    assert not allowed(given_to("Bob"), "Bob", Action.DOWNLOAD)
    assert allowed(given_to("Bob", action=Action.DOWNLOAD), "Bob", Action.VIEW)


def test_a_grant_ends_when_its_time_is_up() -> None:
    doc = given_to("Bob")
    doc = replace(doc, grants=(replace(doc.grants[0], expires=AT + timedelta(hours=1)),))
    assert allowed(doc, "Bob", at=AT + timedelta(minutes=59))
    assert not allowed(doc, "Bob", at=AT + timedelta(hours=1))


def test_a_grant_ends_when_it_is_used_up() -> None:
    doc = given_to("Bob")
    used = [replace(doc, grants=(replace(doc.grants[0], most=2, opened=n),)) for n in (1, 2)]
    assert [allowed(one, "Bob") for one in used] == [True, False]


@pytest.mark.parametrize("newest", ["revoked", "over", "used up", "once", "an hour"])
def test_of_several_grants_none_hides_an_older_one_that_holds_and_the_widest_is_used(newest: str) -> None:
    doc = given_to("Bob")
    [old] = doc.grants
    new = {
        "revoked": replace(old, revoked=AT),
        "over": replace(old, expires=AT),
        "used up": replace(old, most=1, opened=1),
        "once": replace(old, most=1),
        "an hour": replace(old, expires=AT + timedelta(hours=1)),
    }[newest]
    for both in ((old, new), (new, old)):
        found = may(CASE, replace(doc, grants=both), Wish(who("Bob"), Action.VIEW, 1, AT))
        assert isinstance(found, Allowed)
        assert found.grant is old


def test_a_revoked_or_spent_grant_is_not_widened_by_another_that_is_over() -> None:
    doc = given_to("Bob")
    over = [replace(doc.grants[0], revoked=AT), replace(doc.grants[0], expires=AT)]
    assert not allowed(replace(doc, grants=tuple(over)), "Bob")
    narrow = replace(doc.grants[0], most=1, opened=1)
    download = replace(doc.grants[0], action=Action.DOWNLOAD, revoked=AT)
    assert not allowed(replace(doc, grants=(narrow, download)), "Bob", Action.DOWNLOAD)


def test_what_was_taken_back_by_a_stricter_label_does_not_come_back_with_the_former_one() -> None:
    narrow = relabelled(given_to("Bob"), 1, Label.CAUCUS, AT)
    assert not allowed(narrow, "Bob")
    assert not allowed(relabelled(narrow, 1, Label.CONSENT, AT), "Bob")


def test_what_is_taken_back_from_one_stays_with_the_others() -> None:
    bob, carl = given_to("Bob"), given_to("Carl")
    both = replace(bob, grants=bob.grants + carl.grants, consents=bob.consents + carl.consents)
    left = revoked(both, 1, frozenset({who("Bob")}), AT)
    assert (allowed(left, "Bob"), allowed(left, "Carl")) == (False, True)


def test_who_has_not_accepted_the_agreement_is_shown_nothing_of_the_other_side() -> None:
    case, _ = agreed_case()
    alice, carl = named(case, "Alice").id, named(case, "Carl").id
    home = caucus_of(case, "Smith")
    consent = Consent("hash of clean 1", carl, Action.VIEW, AT, "yes")
    grant = Grant(1, carl, Action.VIEW, named(case, "Mia").id, AT)
    doc = Document(DocumentId("D1"), alice, home, "x", (version(label=Label.CONSENT),), (grant,), (consent,))
    assert isinstance(may(case, doc, Wish(carl, Action.VIEW, 1, AT)), Denied)


def test_nobody_who_left_sees_anything() -> None:
    gone = replace(CASE, participations=tuple(p for p in CASE.participations if p.person != who("Alice")))
    assert not allowed(document(), "Alice", case=gone)


def test_a_version_that_is_not_there_is_seen_by_nobody() -> None:
    assert isinstance(may(CASE, document(), Wish(who("Alice"), Action.VIEW, 2, AT)), Denied)


@pytest.mark.parametrize("former", Label)
def test_what_is_made_of_something_strict_is_no_less_strict(former: Label) -> None:
    for label in Label:
        made = document(former).with_version(version(2, label)).newest
        assert not is_stricter(former, made.label)
        assert not is_stricter(label, made.label)
        assert made.label == strictest([label, former])


# --- random histories ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """Something that happens to the document, at that hour."""

    what: str
    name: str = "Bob"
    action: Action = Action.VIEW
    label: Label = Label.CAUCUS
    hours: int = 1


@dataclass
class Model:
    """Who was given what until when, as plain sets: no grant, consent or version of the product's."""

    label: Label
    consented: set[tuple[str, Action]] = field(default_factory=set)
    granted: list[tuple[str, Action, int, int]] = field(default_factory=list)
    """Name, action, since, until."""

    def entitled(self, name: str, action: Action, hour: int) -> bool:
        if name == "Alice":
            return True
        if self.label is Label.PRIVILEGED:
            return name == "Ann"
        if name == "Mia":
            return True
        if self.label is Label.MEDIATORS:
            return False
        if name in SMITHS:
            return True
        if self.label is Label.CAUCUS:
            return False
        wide = {Action.VIEW: {Action.VIEW, Action.DOWNLOAD}, Action.DOWNLOAD: {Action.DOWNLOAD}}[action]
        agreed = any((name, each) in self.consented for each in wide)
        return agreed and any(n == name and a in wide and since <= hour < until for n, a, since, until in self.granted)

    def take_back(self, name: str | None) -> None:
        self.granted = [g for g in self.granted if name is not None and g[0] != name]
        self.consented = {c for c in self.consented if name is not None and c[0] != name}


DEEDS = st.builds(
    Deed,
    st.sampled_from(("grant", "grant", "consent", "consent", "revoke", "label", "label")),
    st.sampled_from(("Bob", "Carl", "Eva", "Ole", "Ina")),
    st.sampled_from(Action),
    st.sampled_from((*Label, Label.CONSENT, Label.JOINT)),
    st.integers(0, 3),
)


def play(deeds: list[Deed], check: Callable[[Document, Model, int], None]) -> None:
    doc, model = document(Label.CONSENT), Model(Label.CONSENT)
    for hour, deed in enumerate(deeds):
        at, person = AT + timedelta(hours=hour), who(deed.name)
        match deed.what:
            case "grant":
                end = at + timedelta(hours=deed.hours)
                doc = replace(doc, grants=(*doc.grants, Grant(1, person, deed.action, who("Mia"), at, end)))
                model.granted.append((deed.name, deed.action, hour, hour + deed.hours))
            case "consent":
                yes = Consent(doc.newest.served.sha256, person, deed.action, at, "yes")
                doc = replace(doc, consents=(*doc.consents, yes))
                model.consented.add((deed.name, deed.action))
            case "revoke":
                doc = revoked(doc, 1, frozenset({person}), at)
                model.take_back(deed.name)
            case _:
                doc = relabelled(doc, 1, deed.label, at)
                model.label = deed.label
                if deed.label not in {Label.CONSENT, Label.JOINT}:
                    model.take_back(None)
        check(doc, model, hour)


def judge(doc: Document, model: Model, hour: int) -> None:
    for name in PEOPLE:
        for action in Action:
            for later in (0, 1, 2):
                at = AT + timedelta(hours=hour + later)
                assert allowed(doc, name, action, at) is model.entitled(name, action, hour + later), (name, action)


@given(st.lists(DEEDS, max_size=8))
def test_whatever_was_granted_agreed_and_taken_back_only_the_entitled_may(deeds: list[Deed]) -> None:
    play(deeds, judge)


def test_the_random_histories_do_open_documents_to_others() -> None:
    seen: list[bool] = []
    grant, consent = Deed("grant", hours=3), Deed("consent")
    play([grant, consent, Deed("grant", "Eva", Action.DOWNLOAD)], lambda doc, *_: seen.append(allowed(doc, "Bob")))
    assert seen == [False, True, True]


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("consents", lambda *_: True),
        ("_admitted", lambda *_: None),
        ("at_home", lambda case, *_: frozenset(p.id for p in case.people)),
        ("_covers", lambda *_: True),
    ],
)
def test_a_planted_fault_is_caught(fault: str, wrong: Callable[..., object]) -> None:
    with patch.object(documents, fault, wrong), pytest.raises(AssertionError):
        _judge_what_needs_everything()


def _judge_what_needs_everything() -> None:
    """Grants without consent, consent to more than was granted, and somebody who withdrew."""
    for name, action in (("Bob", Action.VIEW), ("Carl", Action.DOWNLOAD)):
        play([Deed("grant", name, action, hours=3)], judge)
        play([Deed("grant", name, hours=3), Deed("consent", name, Action.DOWNLOAD)], judge)
    assert not allowed(given_to("Bob"), "Bob", case=replace(CASE, withdrawn=(who("Bob"),)))
