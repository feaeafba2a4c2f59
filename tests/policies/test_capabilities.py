"""What a network carries decides what is sent, and what people are told of it (B3)."""

from dataclasses import replace

import pytest

from policies import routing
from policies.case import DESK, Case, Conversation, Network
from policies.documents.carrying import Enclose
from policies.documents.document import BlobId, Kept
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, decide_filed
from policies.effects import Decision, Effect, Inform, Tell
from policies.message import MessageId, Text
from policies.networks.capabilities import CAPABILITIES
from policies.status import CAUTIONS, readers_text
from tests.appservice.whatsapp.house import case_with_bea, known
from tests.policies.builders import caucus_of, facts, message, named, of_kind

CASE = case_with_bea()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")


def filed(owner: str, home: Conversation, *, kind: Kind = Kind.PDF, size: int = 1200) -> Case:
    kept = Kept(BlobId("b1"), "a1" * 32, size)
    result = Passed(kind, kind.mimetype, kept, kept, 3, ())
    filing = Filing(MessageId("m0"), named(CASE, owner).id, home, home, "brief", result)
    return decide_filed(CASE, filing, known(documents=True)).case


def says(case: Case, name: str, words: str, where: Conversation = DESK) -> Decision:
    told = replace(facts(named(case, name).id, code="8QQ8"), where=where)
    return routing.decide(case, message(case, name, where, Text(words), native=True), told)


def answers(decision: Decision, name: str, where: Conversation) -> Decision:
    mine = [a for a in decision.case.asks if a.asked == named(decision.case, name).id]
    return says(decision.case, name, f"yes {mine[-1].code}", where)


def told(effects: tuple[Effect, ...]) -> str:
    return "\n".join(effect.text for effect in effects if isinstance(effect, Tell | Inform))


@pytest.mark.parametrize(
    ("kind", "size", "why"),
    [
        (Kind.PDF, 100_000_000, None),
        (Kind.PDF, 100_000_001, "it has more than 100 MB"),
        (Kind.PNG, 5_000_001, "it has more than 5 MB"),
        (Kind.ODT, 1, "their channel carries no documents of that kind"),
        (Kind.OTHER, 1, "it was not examined"),
    ],
)
def test_what_whatsapp_does_not_take_is_not_sent_and_whoever_asked_is_told_why(
    kind: Kind, size: int, why: str | None
) -> None:
    case = filed("Mia", HIS, kind=kind, size=size)
    effects = says(case, "Mia", f"!doc send {case.documents[0].id} to Bea").effects
    assert bool(of_kind(Enclose, effects)) is (why is None)
    assert why is None or why in told(effects)


@pytest.mark.parametrize(("action", "sent"), [("download", True), ("view", False), ("download opens 5", False)])
def test_whoever_is_granted_a_download_on_whatsapp_is_told_how_to_have_it_sent(action: str, sent: bool) -> None:
    action, _, opens = action.partition(" ")
    for to in ("all", "Bea"):
        preview = says(filed("Alice", HERS), "Mia", f"!doc grant D1 {action} to {to} {opens}")
        passed = answers(preview, "Mia", DESK)
        granted = answers(passed, "Alice", HERS)
        informed = [e for e in of_kind(Inform, granted.effects) if e.to == named(CASE, "Bea").id]
        assert any("!doc send D1.1" in e.text for e in informed) is sent
        [linked] = [e for e in informed if e.page]
        assert linked.conversation == HIS
        asked = says(granted.case, "Bea", "!doc send D1.1", HIS)
        assert bool(of_kind(Enclose, asked.effects)) is sent
        assert not of_kind(Enclose, says(passed.case, "Bea", "!doc send D1.1", HIS).effects)


def test_readers_are_told_what_does_not_travel_over_each_network() -> None:
    assert set(CAPABILITIES) == set(CAUTIONS) == set(Network) - {Network.MATRIX}
    text = readers_text(CASE, HIS)
    assert "Reactions don't travel by WhatsApp, but a mediator's to whoever wrote the message. A document" in text
    assert "A document travels by WhatsApp as a copy" in text
