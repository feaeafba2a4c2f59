"""Nobody's words leave over a network to which they have not agreed, whatever happens meanwhile; once all have, all of
them arrive everywhere (B2).

A history is played through the policies, and each letter is asked once more as it would leave. What somebody agreed to
is read from the words that they were shown, not from what the service wrote down of it.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.acts import create, perform, take
from policies.case import JOINT, Case, CaseId, Consent, Conversation, Network, Person, PersonId, Role
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.release import SubmitWords
from policies.commands.vocabulary import parse
from policies.due import decide_due
from policies.effects import Effect, Pose, Publish, Relay
from policies.message import SignedDevice, Text
from policies.networks.delivery import Go, Wait, may_go_over
from policies.outcome import Done, Facts
from policies.people.membership import bridged_readers, caucuses_of, seated
from policies.people.ways import carries
from policies.plan import label
from policies.questions.ask import Accepting, Ask, Carrying, Consenting
from policies.questions.asking import Answer
from policies.schedule import Due, due_key
from policies.words.phrase import verbatim
from rooms.clearance import kept_back
from tests.policies.builders import AGREEMENT, AT, facts, message

YES = Consent("Mia", AT, "agreed")
FIRST = (
    AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR),
    AddPerson("Alice", Network.MATRIX, "@alice:example.org", side="Smith"),
    AddPerson("Dora", Network.MATRIX, "@dora:example.org", side="Jones"),
)
LATER = {
    "Carl": AddPerson("Carl", Network.EMAIL, "carl@example.net", Role.PARTY, "Jones", YES),
    "Bea": AddPerson("Bea", Network.WHATSAPP, "+34600123456", Role.COUNSEL, "Jones", YES),
    "Eve": AddPerson("Eve", Network.EMAIL, "eve@example.net", Role.COUNSEL, "Smith", YES),
}
NAMES = ("Alice", "Dora", *LATER)
WAYS = {"by mail": Network.EMAIL, "by WhatsApp": Network.WHATSAPP}
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(tuple(LATER))),
    st.tuples(st.sampled_from(("yes", "yes", "no", "silence", "joint", "private", "submit")), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(("release", "switch", "again")), st.just("Carl")),
    st.tuples(st.just("leave"), st.sampled_from(("Carl", "Alice", "Dora"))),
    st.tuples(st.just("side"), st.sampled_from(("Alice", "Dora"))),
)


@pytest.fixture(scope="module", autouse=True)
def _agreed() -> None:
    """Here nobody has agreed to anything by themselves."""


@dataclass
class History:
    """A case, what is on its way, and what each was shown and said yes to."""

    agreement: bool
    case: Case = field(init=False)
    posed: dict[str, Pose] = field(default_factory=dict)
    agreed: dict[str, set[tuple[str, Network]]] = field(default_factory=dict)
    released: dict[str, str] = field(default_factory=dict)
    """What was shown to the author of a release, who said yes."""
    waits: list[tuple[Relay | Publish, datetime]] = field(default_factory=list)
    """What is on its way, and since when."""
    left: list[tuple[str, str]] = field(default_factory=list)
    """Whose words left, and to whom."""
    wrong: list[str] = field(default_factory=list)
    steps: int = 0
    at: datetime = AT

    def __post_init__(self) -> None:
        known = replace(self.known(), by=None, agreement=AGREEMENT if self.agreement else None)
        made = create(Case(CaseId("1042"), "x"), NewCase("x", FIRST), known)
        assert isinstance(made, Done)
        self.case = made.case
        self.take_in(made.effects)
        for command in ("!open", "!mode open"):
            self.mediator(command)

    def known(self) -> Facts:
        self.steps += 1
        code = f"{'ABCDEFGHJKLMNPQRSTUVWXYZ'[self.steps // 64 % 24]}{'23456789'[self.steps // 8 % 8]}"
        self.at += timedelta(seconds=1)
        return replace(facts(at=self.at), whatsapp=True, code=f"{code}{'23456789'[self.steps % 8]}K")

    def person(self, name: str) -> Person | None:
        return self.case.named(name)

    def mediator(self, line: str) -> None:
        command = parse(line)
        assert not isinstance(command, Misunderstood)
        self.become(perform(self.case, command, self.known()))

    def become(self, outcome: object) -> None:
        if isinstance(outcome, Done):
            self.case = outcome.case
            self.take_in(outcome.effects)

    def take_in(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Pose):
                self.posed[effect.code] = effect
            if isinstance(effect, Relay | Publish):
                self.waits.append((effect, self.at))
        self.send()

    def send(self) -> None:
        """What may leave now, leaves."""
        for letter, said in [one for one in self.waits if one[0].to]:
            if kept_back(self.case, letter, said, self.at) is None:
                self.waits.remove((letter, said))
                self.judge(letter)

    def judge(self, letter: Relay | Publish) -> None:
        release = self.case.release(letter.release) if isinstance(letter, Publish) else None
        author = author_of(self.case, letter)
        reader = self.case.person(letter.to or "")  # type: ignore[arg-type]
        if author is None or reader is None or self.case.is_staff(author):
            return
        self.left.append((self.case.name_of(author), reader.name))
        network, room = reader.endpoint.network, self.label(author, letter.conversation)
        way = next(word for word, one in WAYS.items() if one is network)
        shown = self.released.get(release.id, "") if release else ""
        if (room, network) not in self.agreed.get(author, set()) and way not in shown:
            self.wrong.append(f"words of {self.case.name_of(author)} left {way} out of {room}")

    def label(self, author: str, where: Conversation) -> str:
        return label(where, self.case)

    # --- the steps

    def step(self, what: str, name: str) -> None:  # noqa: C901, PLR0912 (one arm a step)
        person = self.person(name)
        match what:
            case "add" if person is None:
                self.become(perform(self.case, LATER[name], self.known()))
            case "yes" | "no" if person:
                self.answer(person, yes=what == "yes")
            case "silence" if person:
                self.at = max([self.at, *(a.expires for a in self.case.asks if a.asked == person.id)])
                for ask in sorted((a for a in self.case.asks if a.expires <= self.at), key=lambda a: a.expires):
                    decision = decide_due(self.case, due_key(Due.ASK, ask.code), replace(self.known(), by=None))
                    self.case = decision.case
                    self.take_back(ask)
                    self.take_in(decision.effects)
            case "joint" | "private" if person:
                where = JOINT if what == "joint" else caucuses_of(self.case, person.id)[0]
                self.say(person, where)
            case "submit" if person:
                own = caucuses_of(self.case, person.id)[0]
                self.become(SubmitWords("a date").perform(self.case, replace(self.known(), by=person.id, where=own)))
            case "release":
                for release in self.case.releases:
                    self.mediator(f"!release {release.id}")
                self.answer(self.case.people[0], yes=True)
            case "switch" if person:
                to = "carl@example.net" if person.endpoint.network is Network.WHATSAPP else "+34600999999"
                self.mediator(f"!channel Carl {to}")
                self.answer(self.case.people[0], yes=True)
                self.mediator("!consent Carl: agreed")
            case "again":
                self.mediator("!agreement send")
            case "leave" if person:
                self.mediator(f"!party remove {name}")
                self.answer(self.case.people[0], yes=True)
            case "side" if person:
                self.mediator(f"!party side {name} on Brown")
                self.answer(self.case.people[0], yes=True)
                moved = self.person(name)
                if moved and moved.id != person.id:  # What they had agreed to is theirs.
                    self.agreed[moved.id] = set(self.agreed.get(person.id, set()))

    def answer(self, person: Person, *, yes: bool) -> None:
        for ask in [a for a in self.case.asks if a.asked == person.id]:
            if ask not in self.case.asks:
                continue
            pose = self.posed.get(ask.code)
            if yes and pose and isinstance(ask.act, Consenting):
                self.released[ask.act.release] = pose.then
            if yes and pose and isinstance(ask.act, Accepting | Carrying):
                self.agreed.setdefault(person.id, set()).update(shown_in(pose.words))
            if not yes:
                self.take_back(ask)
            given = Answer(ask.code, yes, person.id, ask.where, SignedDevice())
            self.become(take(self.case, given, replace(self.known(), by=person.id)))

    def take_back(self, ask: Ask) -> None:
        if isinstance(ask.act, Carrying) and ask.code in self.posed:
            self.agreed.setdefault(ask.asked, set()).difference_update(shown_in(self.posed[ask.code].words))

    def say(self, person: Person, where: Conversation) -> None:
        self.steps += 1
        said = replace(message(self.case, person.name, where, Text("words")), native=True)
        decision = routing.decide(self.case, said, replace(self.known(), by=person.id))
        self.case = decision.case
        self.take_in(decision.effects)


def forgotten(history: History) -> list[Relay | Publish]:
    """What waits for the answer of somebody who is not there to give it."""
    case = history.case
    gone = [one for one, _ in history.waits if one.to and (who := author_of(case, one)) and case.living(who) is None]
    return [one for one in gone if isinstance(may_go_over(case, one), Wait)]


def author_of(case: Case, letter: Relay | Publish) -> PersonId | None:
    if isinstance(letter, Relay):
        return letter.author
    release = case.release(letter.release)
    return release.author if release else None


def shown_in(words: str) -> set[tuple[str, Network]]:
    """What the words of a question say that goes where."""
    rooms = re.findall(r"What is said in ([^.]+? · 1042) also goes ([^.]+)\.", words)
    return {(room, WAYS[way]) for room, ways in rooms for way in ways.split(", ")}


def played(steps: list[tuple[str, str]], *, agreement: bool) -> History:
    history = History(agreement)
    for what, name in steps:
        history.step(what, name)
    return history


@given(st.lists(STEPS, max_size=25), st.booleans())
def test_nobodys_words_leave_over_a_network_to_which_they_have_not_agreed(
    steps: list[tuple[str, str]], agreement: bool
) -> None:
    history = played(steps, agreement=agreement)
    assert history.wrong == []
    assert forgotten(history) == []


@given(st.lists(STEPS.filter(lambda step: step[0] not in {"leave", "side"}), max_size=12), st.booleans())
def test_once_all_have_agreed_all_arrives_with_all(steps: list[tuple[str, str]], agreement: bool) -> None:
    history = played([*steps, *(("add", name) for name in LATER)], agreement=agreement)
    for _ in range(3):
        history.step("again", "Carl")
        for name in NAMES:
            history.step("yes", name)
    history.left.clear()
    for name in NAMES:
        for where in ("joint", "private"):
            history.step(where, name)
    case = history.case
    for one in (person for person in case.people if not case.is_staff(person.id)):
        for room in (JOINT, *caucuses_of(case, one.id)):
            away = [reader.name for reader in bridged_readers(case, room) if reader.id != one.id]
            assert {(one.name, reader) for reader in away} <= set(history.left)
    assert history.wrong == []


ALL_IN = [("yes", "Alice"), ("yes", "Dora"), ("add", "Bea"), ("add", "Carl"), ("yes", "Bea"), ("yes", "Carl")]


def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps them from speaking is not there, and nothing is asked as words leave."""
    monkeypatch.setattr("policies.moderation.floor.kept_from_speaking", lambda *_: frozenset())
    monkeypatch.setattr("rooms.clearance.may_go_over", lambda *_: Go())


@pytest.mark.parametrize("where", ["joint", "private"])
def test_words_that_leave_without_a_yes_are_caught(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [*ALL_IN, (where, "Dora")]
    assert played(history, agreement=True).wrong == []
    both(monkeypatch)
    assert played(history, agreement=True).wrong


def test_a_yes_to_one_network_that_counts_for_all_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [("add", "Carl"), ("yes", "Alice"), ("yes", "Carl"), ("add", "Bea"), ("yes", "Bea"), ("joint", "Alice")]
    assert played(history, agreement=True).wrong == []
    monkeypatch.setattr("policies.people.ways.answered", lambda case, who, _: bool(case.carried))
    assert played(history, agreement=True).wrong


def test_a_release_whose_question_does_not_show_the_networks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    released = [("no", "Alice"), ("submit", "Alice"), ("yes", "Alice"), ("release", "Carl")]
    history = [("yes", "Alice"), ("yes", "Dora"), ("add", "Bea"), ("yes", "Bea"), *released]
    found = played(history, agreement=True)
    assert (found.wrong, found.left) == ([], [("Alice", "Bea")])
    monkeypatch.setattr("policies.releases.releasing.audience_names", lambda *_: verbatim("Mia, Dora, Bea"))
    assert played(history, agreement=True).wrong


LEFT = [*ALL_IN, ("add", "Eve"), ("private", "Alice"), ("leave", "Alice")]


def test_words_that_wait_for_somebody_who_left_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forgotten(played(LEFT, agreement=True)) == []
    monkeypatch.setattr("policies.networks.delivery.may_carry", lambda *of: Go() if carries(*of[:4]) else Wait("", ""))
    assert forgotten(played(LEFT, agreement=True))


@pytest.mark.parametrize("step", ["leave", "side"])
def test_a_no_that_ends_with_its_room_is_caught(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [*ALL_IN, ("yes", "Alice"), ("add", "Eve"), ("private", "Alice"), ("no", "Alice"), (step, "Alice")]
    assert played(history, agreement=True).wrong == []
    monkeypatch.setattr("policies.people.ways.has_sat", lambda case, who, where: who in seated(case, where))
    assert played([*history, ("yes", "Eve")], agreement=True).wrong
