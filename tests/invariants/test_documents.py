"""Random histories of documents: shared, shared anew, labelled, granted, agreed to, taken back, asked for by everybody
everywhere.

Whatever the product decides is judged by a book that this test keeps of its own: who was shown which document by whose
two yeses. A document has a canary for a name; wherever that is said, and wherever the file itself is posted, everybody
who reads there must be entitled to the version that it is about: "D1" is the first, "D1.2" the second.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, PersonId
from policies.commands import documents as commands
from policies.commands import granting, naming
from policies.documents import filing, redaction, sharing
from policies.documents import rights as documents
from policies.documents.cards import number_of
from policies.documents.carrying import Cover, Hand
from policies.documents.document import Action, BlobId, Document, DocumentId, Kept, Label, Version
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused, decide_filed
from policies.documents.redaction import Redaction, decide_redacted
from policies.documents.rights import Allowed, Wish, may
from policies.effects import Decision, Effect, Explain, Inform, Pose, Post, Publish, Relay, Tell
from policies.message import AuthenticatedMail, MessageId, Proof, SignedDevice, Text, Unproven
from policies.questions.asking import code_from
from policies.words.phrase import verbatim
from tests.invariants.canaries import canaries_in, is_staff, may_read
from tests.policies.builders import AT, both_sides, caucus_of, facts, message, named

PEOPLE = ("Mia", "Alice", "Ann", "Carl", "Bob", "Eva")
ROOMS = both_sides(
    "!party add Ann @ann:example.org as counsel on Smith",
    "!party add Bob @bob:example.org on Jones",
    "!party add Eva @eva:example.org as expert",
)
HERS, HIS = caucus_of(ROOMS, "Smith"), caucus_of(ROOMS, "Jones")
PLACES = (DESK, JOINT, HERS, HIS)
CANARIES = {"D1": "zq0001qz", "D1001": "zq0002qz"}
OWNERS = {"D1": ("Alice", HERS), "D1001": ("Bob", HIS)}
LABELS = ("joint", "consent-required", "caucus", "mediator-only", "privileged")
STRICT = ("caucus", "mediator-only", "privileged")
PROOFS: tuple[Proof, ...] = (SignedDevice(), SignedDevice(), AuthenticatedMail(), Unproven("a thief", "none"))


OFFERED = re.compile(r"\b(R\d+)\b.*?\b(D\d+(?:\.\d+)?) “.*?To (view|download)(?:, until ([\d: -]+) UTC)?", re.DOTALL)


class Broken(AssertionError):
    """Something was shown to somebody who was not entitled."""


def whole(number: str) -> str:
    """The document of a version."""
    return number.partition(".")[0]


def filed(case: Case, key: str, at: datetime, *, taken: bool = True) -> Decision:
    """A document's owner shares it, or a version of it, or what is not taken."""
    owner, home = OWNERS[whole(key)]
    kept = Kept(BlobId(f"b{key}"), f"{key.lower()}a".replace(".", "c").ljust(64, "0"), 10)
    result = Passed(Kind.PDF, "application/pdf", kept, kept, 1, ()) if taken else Refused(verbatim("It is a film."))
    name = CANARIES[whole(key)] if taken else f"{CANARIES[whole(key)]}.pdf"
    former = DocumentId(whole(key)) if "." in key else None
    brought = Filing(MessageId(key), named(case, owner).id, home, home, name, result, version_of=former)
    return decide_filed(case, brought, replace(facts(None, at=at), documents=True))


def started() -> Case:
    """Two sides, each with a document."""
    case = ROOMS
    for number in OWNERS:
        case = filed(case, number, AT).case
    return case


@dataclass
class Offer:
    """A release of a document, as people were shown it."""

    document: str
    action: str
    audience: frozenset[PersonId]
    until: datetime | None
    mediator: bool = False
    owner: bool = False


@dataclass(frozen=True)
class Given:
    """What somebody was given, and until when."""

    document: str
    person: PersonId
    action: str
    until: datetime | None


@dataclass
class Book:
    """The case, what was offered and asked, who was given what, and how each document is labelled."""

    case: Case = field(default_factory=started)
    at: datetime = AT
    offers: dict[str, Offer] = field(default_factory=dict)
    asked: dict[tuple[str, PersonId], str] = field(default_factory=dict)
    """The release of each question, by its code and whom it was put to."""
    given: set[Given] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=lambda: dict.fromkeys(CANARIES, "caucus"))
    codes: int = 0
    handed: int = 0

    def hear(self, name: str, where: Conversation, words: str, proof: Proof) -> None:
        person = self.case.named(name)
        if person is None:
            return
        self.codes += 1
        told = replace(facts(person.id, at=self.at, code=code_from(str(self.codes))), where=where, documents=True)
        heard = replace(message(self.case, name, where, Text(words), proof, native=True), at=self.at)
        decision = routing.decide(self.case, heard, told)
        self.case = decision.case
        # The product's word for it that an act was carried out; what follows from that is this book's.
        self._answered(person.id, where, words, proof)
        self._acted(words, decision)
        self.judge(decision)
        self._offered(decision)
        for effect in decision.effects:
            if isinstance(effect, Cover):
                self.redacted(effect)

    def _answered(self, by: PersonId, where: Conversation, words: str, proof: Proof) -> None:
        said = re.fullmatch(r"yes (\w{4})", words)
        number = self.asked.pop((said[1], by), None) if said and not isinstance(proof, Unproven) else None
        offer = self.offers.get(number) if number else None
        if offer is None or number is None:
            return
        home = OWNERS[whole(offer.document)]
        offer.mediator |= is_staff(self.case, by) and where == DESK
        offer.owner |= by == named(self.case, home[0]).id and where == home[1]
        if offer.mediator and offer.owner:
            self.given |= {Given(offer.document, p, offer.action, offer.until) for p in offer.audience}

    def _acted(self, words: str, decision: Decision) -> None:
        said = re.fullmatch(r"!doc (label|revoke) (D\d+) ?(\S*)", words)
        if said is None or decision.refused or decision.rule != "command":
            return
        what, named_so, rest = said.groups()
        number = self.newest(named_so)
        if what == "label":
            self.labels[number] = rest
        if what == "revoke" or rest in STRICT:
            left = {g for g in self.given if g.document != number}
            only = self.case.named(rest) if what == "revoke" and rest else None
            self.given = left | {g for g in self.given if only and g.document == number and g.person != only.id}

    def newest(self, number: str) -> str:
        """What a command means that names no version."""
        return [key for key in self.labels if key.partition(".")[0] == number][-1]

    def redacted(self, wish: Cover) -> None:
        """A redacted version was made: as strict as what it was made of, and as the one before it."""
        former = self.newest(wish.document)
        number = int(former.partition(".")[2] or "1") + 1
        if number > 3:
            return
        source = wish.document if wish.version == 1 else f"{wish.document}.{wish.version}"
        key = f"{wish.document}.{number}"
        self.labels[key] = max(self.labels[source], self.labels[former], key=LABELS.index)
        kept = Kept(BlobId(f"b{key}"), f"{key.lower()}b".replace(".", "c").ljust(64, "0"), 10)
        passed = Passed(Kind.PDF, "application/pdf", kept, kept, 1, ())
        decision = decide_redacted(self.case, Redaction(wish, passed, 1, (1,)), facts(None, at=self.at))
        self.case = decision.case
        self.judge(decision)

    def share_anew(self, number: str, *, taken: bool = True) -> None:
        """Its owner shares it once more, which is a second version, as strict at least; or what is not taken."""
        if taken and self.newest(number) != number:
            return
        decision = filed(self.case, f"{number}.2", self.at, taken=taken)
        self.case = decision.case
        if taken:
            former = self.labels[number]
            self.labels[f"{number}.2"] = former if former in STRICT else STRICT[0]
        self.judge(decision)

    def _offered(self, decision: Decision) -> None:
        """Previews and questions, read as people read them."""
        for effect in decision.effects:
            text = f"{effect.title}\n{effect.words}" if isinstance(effect, Pose) else getattr(effect, "text", "")
            found = OFFERED.search(str(text))
            if found is None or not isinstance(effect, Pose | Tell):
                continue
            release = next(r for r in self.case.releases if r.id == found[1])
            until = datetime.strptime(f"{found[4]} +0000", "%Y-%m-%d %H:%M %z") if found[4] else None
            only = release.share.to if release.share else None
            audience = frozenset(p.id for p in self.case.people if may_read(self.case, p.id, release.to))
            known = self.offers.setdefault(found[1], Offer(found[2], found[3], audience, until))
            known.audience = frozenset({only}) if only else audience
            for code, person in {(a.code, a.asked) for a in self.case.asks}:
                if code in str(effect):
                    self.asked[code, person] = found[1]

    def entitled(self, number: str, person: PersonId, action: Action) -> bool:
        owner, home = OWNERS[whole(number)]
        found, label = self.case.person(person), self.labels[number]
        if found is None:
            return False
        if found.name == owner:
            return True
        if label == "privileged":
            seats = [s for s in self.case.participations if s.person == person and s.side == home.side]
            return any(s.role in {"party", "counsel"} for s in seats)
        if is_staff(self.case, person):
            return True
        if label == "mediator-only":
            return False
        if may_read(self.case, person, home):
            return True
        return any(
            (g.document, g.person) == (number, person)
            and g.action in {action, "download"}
            and (g.until is None or self.at < g.until + timedelta(minutes=1))
            for g in self.given
        )

    def judge(self, decision: Decision) -> None:
        for effect in decision.effects:
            self._judge_one(effect)
        for document in decision.case.documents:
            for person in decision.case.people:
                for version, action in product(document.versions, Action):
                    wish, key = Wish(person.id, action, version.number, self.at), number_of(document, version)
                    allowed = isinstance(may(decision.case, document, wish), Allowed)
                    if allowed and not self.entitled(key, person.id, action):
                        raise Broken(f"{person.name} may {action} {key}")

    def _judge_one(self, effect: Effect) -> None:
        match effect:
            case Hand(number, version, conversation=where):
                self.handed += 1
                self._everybody(number if version == 1 else f"{number}.{version}", self._room(where), Action.DOWNLOAD)
            case Publish(conversation=where, to=to):
                self._said(effect, frozenset({to}) if to else self._room(where))
            case Inform(to, where) | Pose(to, where):
                person = self.case.person(to)
                away = person is not None and person.endpoint.is_bridged
                self._said(effect, frozenset({to}) if away else self._room(where))
            case Tell(where) | Explain(conversation=where) | Post(conversation=where) | Relay(conversation=where):
                self._said(effect, self._room(where))
            case _:
                pass

    def _said(self, effect: Effect, audience: frozenset[PersonId]) -> None:
        for number, canary in CANARIES.items():
            if canary in canaries_in(str(effect)):
                about = re.findall(rf"({number}(?:\.\d)?) “{canary}", str(effect)) or [self.newest(number)]
                for key in about:
                    self._everybody(key, audience, Action.VIEW)

    def _everybody(self, number: str, audience: frozenset[PersonId], action: Action) -> None:
        for person in audience:
            if not self.entitled(number, person, action):
                raise Broken(f"{number} is shown to somebody who may not {action} it")

    def _room(self, where: Conversation) -> frozenset[PersonId]:
        return frozenset(p.id for p in self.case.people if may_read(self.case, p.id, where))


COMMANDS = (
    "list",
    "show {d}",
    "show {d} file",
    "history {d}",
    "request {d}",
    "request {d} download",
    "grant {d} view to all",
    "grant {d} download to all",
    "grant {d} download to all for 1h",
    "grant {d} download to {who}",
    "grant {d} view to Jones",
    "grant {d} download to Smith opens 2",
    "revoke {d}",
    "revoke {d} {who}",
    "expire {d} in 1h",
    "label {d} caucus",
    "label {d} consent-required",
    "label {d} mediator-only",
    "label {d} privileged",
    "redact {d} “Bob”",
)


@dataclass(frozen=True)
class Step:
    """Somebody gives a command, says yes to a question, lets time pass, or lets somebody in."""

    what: str
    who: str
    where: Conversation
    words: str = ""
    proof: Proof = PROOFS[0]
    pick: int = 0


def take(book: Book, step: Step) -> None:
    match step.what:
        case "wait":
            book.at += timedelta(minutes=31)
        case "file" | "refused":
            book.share_anew(step.words, taken=step.what == "file")
        case "yes":
            asks = book.case.asks
            if asks:
                ask = asks[step.pick % len(asks)]
                asked = book.case.person(ask.asked)
                who = asked.name if asked and step.pick % 3 else step.who
                book.hear(who, ask.where if step.pick % 4 else step.where, f"yes {ask.code}", step.proof)
        case _:
            book.hear(step.who, step.where, step.words, step.proof)


def commanded(words: str, document: str, whom: str) -> str:
    return f"!doc {words.format(d=document, who=whom)}"


STEPS = st.one_of(
    st.builds(
        Step,
        st.just("say"),
        st.sampled_from(PEOPLE),
        st.sampled_from(PLACES),
        st.builds(commanded, st.sampled_from(COMMANDS), st.sampled_from(tuple(CANARIES)), st.sampled_from(PEOPLE)),
        st.sampled_from(PROOFS),
    ),
    st.builds(
        Step,
        st.just("say"),
        st.just("Mia"),
        st.just(DESK),
        st.one_of(
            st.sampled_from(("!release R1", "!release R2", "!party add Ned @ned:example.org on Jones")),
            st.builds(commanded, st.sampled_from(COMMANDS), st.just("D1"), st.sampled_from(PEOPLE)),
        ),
    ),
    st.builds(Step, st.just("yes"), st.sampled_from(PEOPLE), st.sampled_from(PLACES), pick=st.integers(0, 11)),
    st.builds(Step, st.just("yes"), st.just("Mia"), st.just(DESK), st.just(""), st.sampled_from(PROOFS), st.just(7)),
    st.just(Step("wait", "Mia", DESK)),
    st.builds(Step, st.sampled_from(("file", "refused")), st.just(""), st.just(DESK), st.sampled_from(tuple(CANARIES))),
)


@given(st.lists(STEPS, max_size=9))
def test_nobody_is_shown_a_document_that_two_have_not_said_yes_to(steps: list[Step]) -> None:
    book = Book()
    for step in steps:
        take(book, step)


def say(name: str, where: Conversation, words: str) -> Step:
    return Step("say", name, where, words)


def share_anew(what: str) -> Step:
    return Step(what, "", DESK, "D1")


def yes(name: str, where: Conversation) -> Callable[[Book], None]:
    def answer(book: Book) -> None:
        asks = [a for a in book.case.asks if a.asked == named(book.case, name).id]
        book.hear(name, where, f"yes {asks[-1].code}", SignedDevice())

    return answer


def played(*steps: Any) -> Book:
    book = Book()
    for step in steps:
        step(book) if callable(step) else take(book, step)
    return book


WHOLE_WAY = (say("Mia", DESK, "!doc grant D1 download to all"), yes("Mia", DESK), yes("Alice", HERS))


def test_what_two_said_yes_to_does_arrive() -> None:
    book = played(*WHOLE_WAY)
    assert book.handed == 1
    for name in PEOPLE:
        wish = Wish(named(book.case, name).id, Action.DOWNLOAD, 1, book.at)
        assert isinstance(may(book.case, book.case.documents[0], wish), Allowed)
    assert not isinstance(may(book.case, book.case.documents[1], wish), Allowed)


def test_a_second_version_is_announced_to_those_who_may_see_it() -> None:
    book = played(share_anew("file"))
    for name in PEOPLE:
        wish = Wish(named(book.case, name).id, Action.VIEW, 2, book.at)
        assert isinstance(may(book.case, book.case.documents[0], wish), Allowed) is (name in {"Mia", "Alice", "Ann"})
    assert CANARIES["D1"] in str(filed(started(), "D1.2", AT).effects)


REDACT = say("Mia", DESK, "!doc redact D1 “Bob”")


def test_a_redacted_version_is_there_for_its_side_and_goes_to_others_with_two_yeses_of_its_own() -> None:
    book = played(*WHOLE_WAY, REDACT)
    document = book.case.documents[0]
    assert [version.number for version in document.versions] == [1, 2]
    for name in PEOPLE:
        wish = Wish(named(book.case, name).id, Action.VIEW, 2, book.at)
        assert isinstance(may(book.case, document, wish), Allowed) is (name in {"Mia", "Alice", "Ann"})
    book = played(REDACT, *WHOLE_WAY)
    wish = Wish(named(book.case, "Bob").id, Action.DOWNLOAD, 2, book.at)
    assert isinstance(may(book.case, book.case.documents[0], wish), Allowed)
    assert not isinstance(may(book.case, book.case.documents[0], replace(wish, version=1)), Allowed)


def everything_that_shows_a_fault() -> None:
    """Short histories, each of which a fault below would turn into a leak."""
    played(say("Mia", DESK, "!doc grant D1 download to all"), yes("Mia", DESK))
    played(*WHOLE_WAY, say("Alice", HERS, "!doc revoke D1"), say("Bob", HIS, "!doc show D1 file"))
    played(say("Bob", HIS, "!doc list"), say("Bob", HIS, "!doc show D1"), say("Bob", HIS, "!doc show D1 file"))
    played(
        say("Mia", DESK, "!doc grant D1 download to Carl"),
        yes("Mia", DESK),
        yes("Alice", HERS),
        say("Carl", HIS, "!doc show D1 file"),
        say("Carl", HIS, "!doc list"),
    )
    played(say("Alice", HERS, "!doc label D1 privileged"), say("Alice", HERS, "!doc list"))
    for label in STRICT:
        strict = say("Alice", HERS, f"!doc label D1 {label}")
        redact = say("Alice", HERS, "!doc redact D1 “Bob”")
        played(strict, redact, say("Ann", HERS, "!doc show D1"), say("Ann", HERS, "!doc list"))
        played(
            strict, share_anew("refused"), share_anew("file"), share_anew("refused"), say("Ann", HERS, "!doc show D1")
        )
    played(*WHOLE_WAY, share_anew("file"), say("Bob", HIS, "!doc show D1 file"), say("Bob", HIS, "!doc list"))


def test_these_histories_are_without_fault() -> None:
    everything_that_shows_a_fault()


def wide_open(case: Case, owner: PersonId, home: Conversation, document: DocumentId, version: Version) -> Document:
    """One version more, whatever its source was labelled."""
    found = next(d for d in case.documents if d.id == document)
    number = found.newest.number + 1
    return replace(found, versions=(*found.versions, replace(version, number=number, label=Label.CAUCUS)))


@pytest.mark.parametrize(
    ("where", "names", "wrong"),
    [
        (documents, "at_home", lambda case, *_: frozenset(p.id for p in case.people)),
        # Two, for whoever is taken for somebody who sees it is still not told its name.
        (naming, "may may_be_named_to", lambda *_: Allowed("")),
        (naming, "may_be_named_to", lambda *_: True),
        (commands, "may_be_named", lambda *_: True),
        (sharing, "all_may_download", lambda *_: True),
        (filing, "all_may_view", lambda *_: True),
        (filing, "may_be_named_to", lambda *_: True),
        (redaction, "may_be_named_to", lambda *_: True),
        (redaction, "grown", wide_open),
        (granting, "revoked", lambda document, *_: replace(document, grants=document.grants * 2)),
    ],
)
def test_a_planted_fault_is_caught(where: Any, names: str, wrong: Callable[..., Any]) -> None:
    with ExitStack() as planted:
        for name in names.split():
            planted.enter_context(patch.object(where, name, wrong))
        with pytest.raises(AssertionError):
            everything_that_shows_a_fault()
