"""Whoever has two channels is one voice, whatever happens: no echo, one mute, one answer; and each channel gets what
others say, once, and nothing of another side (R11, I1, I4)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.acts import take
from policies.case import Case, PersonId
from policies.effects import Pose, Tell
from policies.message import Proof, SignedDevice, SignedWebhook, Unproven
from policies.moderation import floor
from policies.outcome import Done
from policies.questions import answering, asking
from policies.questions.asking import Answer
from tests.invariants.canaries import Fate
from tests.invariants.histories import (
    FAULTS,
    SETTLED,
    Command,
    Confirm,
    Enrol,
    Fault,
    Look,
    Mail,
    Phrase,
    Rest,
    Restart,
    Say,
    Step,
    Work,
    play,
)
from tests.invariants.promises import Broken, kept
from tests.invariants.world import ALICE, CARL, EVE, MIA, opened
from tests.policies.builders import caucus_of, named, of_kind
from tests.policies.voices import KNOWN, does, with_two

ADDED: Phrase = (
    *(Command("!channel add Alice eve@example.net"), Rest(), Confirm(), Rest()),
    *(Command("!consent Alice (mail): yes"), Enrol(EVE), Rest()),
)
TWO: Phrase = (*SETTLED, *ADDED)
"""Alice, in Matrix and by mail, on one side; Carl on the other."""
TALK: Phrase = (
    *(Say(ALICE, room) for room in range(2)),
    *(Mail(who, pick=pick) for who in (EVE, CARL) for pick in range(3)),
    *(Say(MIA, room) for room in range(4)),
    Rest(),
)


def _asked(text: str) -> Phrase:
    """A command that asks first, and its yes."""
    return (Command(text), Rest(), Confirm(), Rest())


PHRASES: st.SearchStrategy[Phrase] = st.one_of(
    st.sampled_from(
        (
            *((Command(line), Rest()) for line in ("!mute Alice", "!mute Alice (mail)", "!unmute Alice")),
            *((Command(line), Rest()) for line in ("!turn Alice", "!turn off", "!slow 10m", "!slow off")),
            *((Command(line), Rest()) for line in ("!pause", "!resume", "!undo")),
            *(_asked(f"!channel leave Alice ({which})") for which in ("mail", "matrix")),
            *(_asked(line) for line in ("!withdraw Alice", "!party remove Alice", "!party side Alice on Jones")),
            (Command("!resume Alice"), Rest()),
            ADDED,
            _asked("!channel add Alice @alice:example.org"),
        )
    ),
    st.builds(lambda who, room: (Say(who, room),), st.sampled_from((ALICE, MIA)), st.integers(0, 3)),
    st.builds(lambda who, pick: (Mail(who, pick=pick),), st.sampled_from((EVE, CARL)), st.integers(0, 3)),
    st.builds(lambda kind, after: (Fault(kind, after),), st.sampled_from(FAULTS), st.integers(0, 30)),
    st.sampled_from(((Work((0, 1, 2, 3)),), (Restart(),), (Look(),), (Rest(),))),
)


@given(st.lists(PHRASES, max_size=16))
async def test_whatever_happens_nothing_crosses_nothing_is_repeated_and_all_else_arrives(said: list[Phrase]) -> None:
    with opened() as world:
        await play(world, (*TWO, *(step for phrase in said for step in phrase)))
        kept(world)


async def _judged(*history: Step) -> list[tuple[str, Fate, int]]:
    """Who said what has become of it, and by how many mails."""
    with opened() as world:
        await play(world, history)
        kept(world)
        mailed = [mail.text for mail in world.post_office.delivered]
        return [
            (said.author.of_network, said.fate, sum(said.canary in text for text in mailed))
            for said in world.said.values()
            if said.author and said.fate and said.handled_at
        ]


async def test_each_channel_gets_what_others_say_and_not_what_the_other_said() -> None:
    before, after = await _judged(*TWO), await _judged(*TWO, *TALK)
    new = after[len(before) :]
    assert {name for name, _, _ in new} == {"Mia (matrix)", "Alice (matrix)", "Alice (email)", "Carl (email)"}
    by_voice = {name: [mails for who, fate, mails in new if who == name and fate is Fate.CARRIED] for name, _, _ in new}
    # To all: Carl has it by mail. In private: nobody but Alice and the mediator reads there.
    assert sorted(by_voice["Alice (matrix)"]) == [0, 1]
    assert max(by_voice["Alice (email)"]) == 1
    # To all, a mediator's words go to two mailboxes; Carl's to hers alone, or to nobody from his private room.
    assert max(by_voice["Mia (matrix)"]) == 2
    assert max(by_voice["Carl (email)"]) == 1


async def test_a_muted_person_is_kept_back_on_both_channels() -> None:
    words: Phrase = (Say(ALICE, 0), Say(ALICE, 1), *(Mail(EVE, pick=pick) for pick in range(3)), Rest())
    for name in ("Alice", "Alice (mail)"):
        history: Phrase = (*TWO, Command(f"!mute {name}"), Rest(), *words)
        muted = await _judged(*history)
        assert ("Alice (email)", Fate.HELD, 0) in muted


def _by_channel(case: Case, one: PersonId | None, other: PersonId | None) -> bool:
    """As if nobody had ever been taught voices."""
    return one is not None and one == other


async def test_words_that_are_repeated_to_the_other_channel_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Case, "same_voice", _by_channel)
    with pytest.raises(Broken, match="no reader when they were said, or said them"):
        await _judged(*TWO, Say(ALICE, 0), Say(ALICE, 1), Rest())


async def test_a_mute_that_holds_for_one_channel_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "is_muted", lambda case, who: any(spell.person == who for spell in case.floor.muted))
    with pytest.raises(Broken):
        await _judged(*TWO, Command("!mute Alice"), Rest(), *(Mail(EVE, pick=pick) for pick in range(3)), Rest())


# --- one answer

CASE = with_two("!party add Bob @bob:example.org as counsel on Smith")
SMITH = caucus_of(CASE, "Smith")
PROVEN: dict[str, Proof] = {
    "Alice (matrix)": SignedDevice(),
    "Alice (WhatsApp)": SignedWebhook("1", named(CASE, "Alice (WhatsApp)").endpoint.id),
    "Bob": SignedDevice(),
}
ANSWERS = st.lists(
    st.tuples(st.sampled_from(sorted(PROVEN)), st.sampled_from(sorted(PROVEN)), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)
"""Who answers, whose copy of the question, what, and with proof or without."""


def told(answers: list[tuple[str, str, bool, bool]]) -> list[str]:
    """What the desk hears of answers to a question that was put to all of a side."""
    asked = does(CASE, "!ask Smith: Does Thursday suit you?")
    codes = {pose.to: pose.code for pose in of_kind(Pose, asked.effects)}
    case, heard = asked.case, list[str]()
    for who, whose, yes, proven in answers:
        by, of = named(CASE, who).id, named(CASE, whose).id
        proof = PROVEN[who] if proven else Unproven("nothing shows it", "")
        outcome = take(case, Answer(codes[of], yes, by, SMITH, proof), replace(KNOWN, by=by, where=SMITH))
        if isinstance(outcome, Done):
            case = outcome.case
            heard += [tell.text for tell in of_kind(Tell, outcome.effects) if " says " in tell.text]
    return heard


def _count(answers: list[tuple[str, str, bool, bool]], name: str) -> int:
    """How many answers of somebody should have counted: the first that is proven, to what was put to them there."""
    return min(1, sum(who == whose and proven and who.startswith(name) for who, whose, _, proven in answers))


@given(ANSWERS)
def test_a_voice_answers_once_in_whatever_order(answers: list[tuple[str, str, bool, bool]]) -> None:
    heard = told(answers)
    for name in ("Alice", "Bob"):
        assert sum(line.startswith(name) for line in heard) == _count(answers, name)


def test_a_second_answer_that_counts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(name, name, True, True) for name in ("Alice (matrix)", "Alice (WhatsApp)")]
    assert len(told(both)) == 1
    for module in (asking, answering):
        monkeypatch.setattr(module, "copies_of", lambda *_: ())
    assert len(told(both)) == 2
