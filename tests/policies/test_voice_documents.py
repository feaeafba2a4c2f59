"""Documents of, and for, somebody with two channels: theirs on both, granted once (ADR 56)."""

from dataclasses import replace

import pytest

from policies.acts import take
from policies.case import Case, PersonId
from policies.documents.document import (
    Action,
    BlobId,
    Document,
    DocumentId,
    Kept,
    Label,
    Version,
)
from policies.documents.files import Kind
from policies.documents.quota import Quota, full
from policies.documents.recipient import stamp_for
from policies.documents.rights import Allowed, Wish, may
from policies.documents.versions import same_file
from policies.documents.viewing import opened, page_shown
from policies.effects import Inform, Pose
from policies.message import SignedDevice, SignedWebhook
from policies.outcome import Done, Refused
from policies.questions.asking import Answer
from tests.policies.builders import AT, caucus_of, named, of_kind
from tests.policies.voices import KNOWN, agreed_to, does, says, with_two

VERSION = Version(
    1,
    Label.CAUCUS,
    Kind.PDF,
    "application/pdf",
    AT,
    Kept(BlobId("b1"), "clean", 10),
    Kept(BlobId("b2"), "sent", 10),
    pages=3,
)


def with_document(label: Label = Label.CAUCUS, owner: str = "Alice (WhatsApp)") -> Case:
    """Alice and Carl with two channels each; a document that Alice brought by one of hers."""
    case = agreed_to(with_two(), "!channel add Carl @carl:example.org").case
    hers = Document(
        DocumentId("D1"), named(case, owner).id, caucus_of(case, "Smith"), "brief.pdf", (replace(VERSION, label=label),)
    )
    return case.with_document(hers)


def may_view(case: Case, who: str | PersonId, action: Action = Action.VIEW) -> bool:
    """Whether somebody may, by that channel."""
    person = named(case, who).id if " " in who else PersonId(who)
    document = case.document("D1")
    assert document
    return isinstance(may(case, document, Wish(person, action, 1, AT)), Allowed)


def granted(case: Case, command: str) -> Case:
    """The case after a mediator's grant, and its owner's yes on the channel on which that was asked."""
    offered = agreed_to(case, command)
    (pose,) = of_kind(Pose, offered.effects)
    person = case.person(pose.to)
    assert person
    proof = SignedWebhook("1", person.endpoint.id) if person.endpoint.is_bridged else SignedDevice()
    answer = Answer(pose.code, True, pose.to, pose.conversation, proof)
    outcome = take(offered.case, answer, replace(KNOWN, by=pose.to, where=pose.conversation))
    assert isinstance(outcome, Done)
    assert {e.to for e in of_kind(Inform, outcome.effects) if "D1" in e.text and e.conversation.side != "s1"}
    return outcome.case


def test_what_she_brought_by_one_channel_is_hers_on_the_other_and_nobody_elses() -> None:
    for label in (Label.PRIVILEGED, Label.CAUCUS, Label.MEDIATORS):
        case = with_document(label)
        assert may_view(case, "Alice (matrix)")
        assert may_view(case, "Alice (WhatsApp)")
        assert not may_view(case, "Carl (mail)")
        assert not may_view(case, "Carl (matrix)")
    document = case.document("D1")
    assert document
    native = named(case, "Alice (matrix)")
    assert same_file(case, native.id, document.home, "sent") is not None
    assert stamp_for(case, document, document.newest, native, mark="m", at=AT) is None
    assert full(case, native.id, document.home, 1, AT, quota=Quota(person_bytes=10)) is not None


def test_it_stays_hers_when_the_channel_is_left_that_brought_it() -> None:
    case = agreed_to(with_document(Label.PRIVILEGED), "!channel leave Alice (WhatsApp)").case
    (alice,) = case.called("Alice")
    assert may_view(case, alice.id)
    assert isinstance(says(case, "Alice", "!doc label D1 caucus"), Done)


@pytest.mark.parametrize("to", ["Carl", "Carl (mail)", "Carl (matrix)", "Jones"])
def test_a_grant_is_the_persons_and_opens_so_often_by_both_together(to: str) -> None:
    case = granted(with_document(), f"!doc grant D1 view to {to} opens 2")
    document = case.document("D1")
    assert document
    assert len(document.grants) == 1
    legs = [leg.id for leg in case.called("Carl")]
    assert all(may_view(case, leg) for leg in legs)
    for leg in legs:
        after = opened(case, document, Wish(leg, Action.VIEW, 1, AT), f"mark {leg}")
        assert isinstance(after, Document)
        # What is open stays open to its end, though it was the last time.
        looked = page_shown(case, after, Wish(leg, Action.VIEW, 1, AT), f"mark {leg}", 1)
        assert isinstance(looked, Document)
        document = looked
    spent = case.with_document(document)
    assert not any(may_view(spent, leg) for leg in legs)


def test_what_is_taken_back_from_somebody_is_so_on_both_channels() -> None:
    case = granted(with_document(), "!doc grant D1 view to Carl")
    back = does(case, "!doc revoke D1 Carl (mail)").case
    assert not any(may_view(back, leg.id) for leg in case.called("Carl"))


def test_its_owner_is_asked_by_the_channel_that_speaks_or_is_left() -> None:
    case = with_document()
    asked = says(case, "Alice (matrix)", "!doc request D1")
    assert isinstance(asked, Done)
    assert [pose.to for pose in of_kind(Pose, asked.effects)] == [named(case, "Alice (matrix)").id]
    left = agreed_to(case, "!channel leave Alice (WhatsApp)").case
    (pose,) = of_kind(Pose, agreed_to(left, "!doc grant D1 view to Carl").effects)
    assert pose.to == named(left, "Alice").id


def test_others_of_the_side_manage_nothing_of_hers() -> None:
    case = does(with_document(), "!party add Sue @sue:example.org as supporter on Smith").case
    assert isinstance(says(case, "Sue", "!doc label D1 mediator-only"), Refused)
