"""Cases, made by the commands that a mediator would give."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from policies.acts import create, perform
from policies.case import Case, CaseId, Conversation, Network, Person, PersonId, Role, caucus
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.vocabulary import parse
from policies.effects import Effect, Pose
from policies.message import Content, Message, MessageId, Proof, SignedDevice, Text
from policies.moderation.agreement import Agreement
from policies.outcome import Done, Facts, Outcome, Refused
from policies.questions.ask import Carrying

E = TypeVar("E", bound=Effect)
AT = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
MIA = PersonId("p1")
ALICE_JOINS = "!party add Alice @alice:example.org on Smith"
CARL_JOINS = "!party add Carl carl@example.net on Jones"


def facts(by: PersonId | None = MIA, *, at: datetime = AT, code: str = "4F2A", mail: bool = True) -> Facts:
    """What is known beside the case."""
    return Facts(at, by, code, "example.org", "_mediatrix_", "reply.example.org" if mail else None)


def new_case() -> Case:
    """A case of which Mia is the mediator."""
    mia = AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR)
    made = create(Case(CaseId("1042"), "Smith and Jones"), NewCase("Smith and Jones", (mia,)), facts(None))
    assert isinstance(made, Done)
    return made.case


def say(case: Case, command: str, known: Facts | None = None) -> Outcome:
    """What a command does to a case."""
    parsed = parse(command)
    assert not isinstance(parsed, Misunderstood), parsed
    return perform(case, parsed, known or facts())


def done(case: Case, command: str, known: Facts | None = None) -> Done:
    """What a command does that must be carried out."""
    outcome = say(case, command, known)
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(case: Case, command: str, known: Facts | None = None) -> str:
    """What is said to a command that must be refused."""
    outcome = say(case, command, known)
    assert isinstance(outcome, Refused), outcome
    return str(outcome)


def case_with(*commands: str) -> Case:
    """Mia's case, after these commands; whoever agreed to words by mail has confirmed the address, too."""
    case = new_case()
    for command in commands:
        case = unasked(done(case, command).case)
    return confirmed(case)


def unasked(case: Case) -> Case:
    """The case as one of before it was asked over which networks words go: with nobody asked, and all taken for agreed
    (`test_legs` has the others)."""
    return replace(case, carried=None, asks=tuple(a for a in case.asks if not isinstance(a.act, Carrying)))


def confirmed(case: Case) -> Case:
    """The case, once everybody who agreed to words by mail has confirmed that the mailbox is theirs."""
    for person in case.people:
        agreed = person.endpoint.network is Network.EMAIL and person.endpoint.content_consent is not None
        if agreed and person.endpoint.enrolled is None:
            case = case.with_person(replace(person, endpoint=replace(person.endpoint, enrolled=AT)))
    return case


def both_sides(*more: str) -> Case:
    """Alice in Matrix on the side Smith, Carl by mail (agreed to) on the side Jones; all speak in the joint room."""
    return case_with(ALICE_JOINS, CARL_JOINS, "!consent Carl: agreed", "!open", "!mode open", *more)


AGREEMENT = Agreement(1, "We talk to each other.")


def agreed_case(*more: str) -> tuple[Case, list[Pose]]:
    """Alice in Matrix and Carl by mail, in a case with an agreement to mediate; and what they were asked."""
    mia = AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR)
    known = replace(facts(None), agreement=AGREEMENT)
    made = create(Case(CaseId("1042"), "Smith and Jones"), NewCase("Smith and Jones", (mia,)), known)
    assert isinstance(made, Done)
    case, questions = made.case, list[Pose]()
    for command in (ALICE_JOINS, CARL_JOINS, "!consent Carl: agreed", *more):
        outcome = done(unasked(case), command)
        new = [pose for pose in of_kind(Pose, outcome.effects) if "this is the agreement" in pose.title]
        asked = {pose.to for pose in new}
        case, questions = unasked(outcome.case), [q for q in questions if q.to not in asked] + new
    return confirmed(case), sorted(questions, key=lambda question: question.to)


def alike(one: Case, other: Case) -> bool:
    """Whether two cases are the same, whatever was done last and whoever has come."""
    return replace(one, deed=None, expected=()) == replace(other, deed=None, expected=())


def named(case: Case, name: str) -> Person:
    """Somebody in a case."""
    person = case.named(name)
    assert person is not None, name
    return person


def caucus_of(case: Case, side: str) -> Conversation:
    """The caucus of a side."""
    return caucus(next(s.id for s in case.sides if s.name == side))


def message(
    case: Case,
    author: str,
    where: Conversation,
    content: Content | None = None,
    proof: Proof | None = None,
    *,
    native: bool | None = None,
) -> Message:
    """Something that somebody said, in Matrix or by mail as they do."""
    person = named(case, author)
    return Message(
        MessageId("m1"),
        person.id,
        where,
        content if content is not None else Text("hello"),
        proof or SignedDevice(),
        AT,
        person.endpoint.network is Network.MATRIX if native is None else native,
    )


def of_kind(kind: type[E], effects: Iterable[Effect]) -> list[E]:
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]
