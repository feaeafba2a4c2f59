"""The question over which networks somebody's words may go: put with the agreement, or by itself when a network comes
to a room, answered once, and shown to the mediators with what they can do about a no (B2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.case import DESK, JOINT, Case, Consent, Conversation, Network, Person, PersonId, Phase, caucus
from policies.effects import Effect, Inform, Pose, Tell
from policies.message import Proof
from policies.moderation.agreement import ACCEPTANCE_LASTS
from policies.networks.way import CARRIED_BY, Way, WayAnswer
from policies.outcome import Done, Facts
from policies.people.membership import caucuses_of, may_join, seated
from policies.people.ways import answered, missing, needed, shown_ways
from policies.plan import label
from policies.questions.ask import Accepting, Ask, Carrying
from policies.questions.asking import answered_elsewhere, how, put
from policies.status import CAUTIONS
from policies.words.phrase import Phrase, phrase, together
from policies.words.text import moment

ON_PAPER = "not through the service"
"""How an answer begins that somebody put on record for them."""
_BEFORE = "they took part already when it was first asked over which networks words go"


def ways_text(case: Case, ways: Iterable[Way]) -> Phrase:
    """Which words go over which networks, for whoever is asked. Whose channels those are, it does not say: in the rooms
    themselves their readers learn it, and not before."""
    by_room: dict[Conversation, list[Network]] = {}
    for way in ways:
        by_room.setdefault(way.where, []).append(way.network)
    rooms = [
        phrase(
            "What is said in {room} also goes {ways}.",
            room=label(where, case),
            ways=together((CARRIED_BY[network] for network in networks), by=", "),
        )
        for where, networks in by_room.items()
    ]
    used = {network for networks in by_room.values() for network in networks}
    return together([*rooms, *(caution for network, caution in CAUTIONS.items() if network in used)])


def section(case: Case, ways: tuple[Way, ...]) -> Phrase | str:
    """The end of the agreement to mediate, which is ours: "" where all take part in Matrix."""
    if not ways:
        return ""
    opening = phrase("How your words travel: between those in Matrix they are end-to-end encrypted.")
    later = phrase("Should another way come to be used, you are asked before anything of yours goes there.")
    return together([opening, ways_text(case, ways), later])


def ways_for(case: Case, person: PersonId, where: Conversation | None = None) -> tuple[Way, ...]:
    """What the agreement to mediate shows somebody, on paper or in a room; nothing in a case of before, until its ways
    change."""
    shown = () if case.carried is None else _sorted(shown_ways(case, person))
    return shown if where is None else _told_in(where, shown)


def noted(case: Case, answer: WayAnswer) -> Case:
    """The case in which somebody has answered that. What was asked over another channel of theirs, about nothing else
    any more, is closed."""
    if case.carried is None or not answer.ways:
        return case
    case = replace(case, carried=(*case.carried, answer))
    elsewhere = (a for a in case.asks if isinstance(a.act, Carrying) and a.asked != answer.person)
    theirs = (a for a in elsewhere if case.same_voice(a.asked, answer.person))
    closed = {a.code for a in theirs if all(w in answer.ways or answered(case, answer.person, w) for w in _ways_of(a))}
    return replace(case, asks=tuple(a for a in case.asks if a.code not in closed))


def closed_by(before: Case, after: Case) -> tuple[Effect, ...]:
    """Whoever was asked over another channel, too, learns there that they need not answer any more."""
    return answered_elsewhere(a for a in before.asks if isinstance(a.act, Carrying) and a not in after.asks)


def begun(before: Case, after: Case, facts: Facts, *, anyway: bool = False) -> Case:
    """A case of before: whoever took part accepted the ways that stood until now, and is asked about others alone.
    `anyway`: though none is new, for somebody takes that back."""
    if after.carried is not None or (not anyway and _all_needed(before) == _all_needed(after)):
        return after
    stood = ((person.id, _may_decide(before, person.id, shown_ways(before, person.id))) for person in before.people)
    left = ((person, _all_there_were(before)) for person in _who_left(before))
    answers = (WayAnswer(person, ways, facts.at, _BEFORE) for person, ways in (*stood, *left) if ways)
    return replace(after, carried=tuple(answers))


def left_unanswered(before: Case, after: Case) -> tuple[Tell, ...]:
    """The desk is told of whoever left without an answer, or went to another side: what waited for it goes nowhere."""
    gone = (person for person in before.voices() if after.living(person.id) is None)
    unanswered = ((one, _may_decide(before, one.id, _unanswered(before, one.id))) for one in gone)
    return tuple(
        Tell(
            DESK,
            f"{one.name} had not said whether their words may also go {_in_words(ways)}. What of theirs waited for that"
            " until now, if anything did, does not go there any more.",
        )
        for one, ways in unanswered
        if ways
    )


def to_ask(before: Case, after: Case) -> list[Person]:
    """Who has neither been asked about a way that is theirs to decide, nor has answered; whoever can't be asked here,
    when that changes."""
    unasked = (person for person in after.people if _unasked(after, person.id))
    return [one for one in unasked if caucuses_of(after, one.id) or _news(before, after, one.id)]


def to_show_anew(case: Case) -> list[Person]:
    """Whose question about the agreement does not show all ways any more: it is void, and put anew."""
    if case.carried is None or case.phase is Phase.CLOSED:
        return []
    waits = ((a, a.act.ways) for a in case.asks if isinstance(a.act, Accepting))
    shows_less = {a.asked for a, shown in waits if not set(_told_in(a.where, needed(case, a.asked))) <= set(shown)}
    return [person for person in case.people if person.id in shows_less and not case.has_withdrawn(person.id)]


def asked_about_ways(
    case: Case, people: Iterable[Person], facts: Facts, *, again: bool = False
) -> tuple[Case, tuple[Effect, ...]]:
    """Each of these is asked in their own room about what they have not answered; `again`: or have said no to.

    Whoever sits with several sides is asked in each of their rooms about that one alone: how the other side's words
    travel, those who read there must not learn. What the open question about the agreement shows is asked by it.
    """
    effects: list[Effect] = []
    for person in people:
        wanted = missing(case, person.id) if again else _unanswered(case, person.id)
        ways = _may_decide(case, person.id, wanted)
        rooms = caucuses_of(case, person.id)
        if ways and not rooms:
            effects.append(Tell(DESK, _nowhere_to_ask(case, person, ways)))
        shown = {way for a in case.asks if _accepts(a, person.id) for way in _ways_of(a)}
        for where in rooms:
            there = tuple(
                way for way in _told_in(where, ways) if way not in shown and (way.where != JOINT or where == rooms[0])
            )
            if there:
                case = _without_those(case, person.id, where, there)
                case, ask, alarm = put(case, Carrying(there), person.id, where, facts, lasts=ACCEPTANCE_LASTS)
                effects += [_question(case, person, ask, there), alarm]
    return case, tuple(effects)


def agreed(case: Case, ask: Ask, ways: tuple[Way, ...], proof: Proof, facts: Facts) -> Done:
    """The asked person said yes: their words go there, what waited with them."""
    after = noted(case, WayAnswer(ask.asked, ways, facts.at, how(proof)))
    told = phrase("Your yes is on record: your words go there, too. Should you change your mind, tell the mediator.")
    answer = f"{case.name_of(ask.asked)} agreed that their words also go {_in_words(ways)}, {how(proof)}."
    return Done(after, answer, (Inform(ask.asked, ask.where, told), *closed_by(case, after)))


def refused(case: Case, ask: Ask, ways: tuple[Way, ...], facts: Facts) -> Done:
    """The asked person said no: nothing of theirs goes there, and what waited to go does not."""
    after = noted(case, WayAnswer(ask.asked, ways, facts.at, "their own no", agreed=False))
    told = phrase(
        "Your no is noted, and the mediator knows: none of your words go there. Should you change your mind, tell the"
        " mediator."
    )
    person = case.person(ask.asked)
    text = f"{case.name_of(ask.asked)} does NOT agree that their words also go {_in_words(ways)}."
    todo = _what_to_do(case, person, ways) if person else ""
    return Done(after, f"{text} {todo}".strip(), (Inform(ask.asked, ask.where, told), *closed_by(case, after)))


def taken_back(case: Case, person: Person, given: Consent, facts: Facts) -> tuple[Case, tuple[Effect, ...]] | None:
    """Somebody told the mediator that none of their words go over any network, also where they had agreed; None: there
    is nothing to which that would be a no."""
    ways = _sorted(way for way in needed(case, person.id) if answered(case, person.id, way) is not False)
    if not ways:
        return None
    before = begun(case, case, facts, anyway=True)
    before = replace(
        before, asks=tuple(a for a in before.asks if not (a.asked == person.id and isinstance(a.act, Carrying)))
    )
    after = noted(before, WayAnswer(person.id, ways, facts.at, on_record(given), agreed=False))
    text = phrase(
        "The mediator has noted that you said no: none of your words go to others by mail or WhatsApp from now on. If"
        " you did not say that, or change your mind, tell the mediator."
    )
    joint = any(way.where == JOINT for way in ways)
    told = together([text, _silent_there(case) if joint else ""])
    legs = case.legs_of(person.id)
    informed = tuple(Inform(leg.id, own, told) for leg in legs for own in caucuses_of(case, leg.id)[:1])
    return after, informed


def on_record(given: Consent) -> str:
    """How a mediator's word for somebody's answer stands there."""
    return f"{ON_PAPER}, recorded by {given.recorded_by} on {given.on:%Y-%m-%d}: “{given.wording}”"


def silent(case: Case, ask: Ask, ways: tuple[Way, ...]) -> Done:
    """They have not answered in time: it stays as it is, and the mediator asks again. That is no answer to what they
    answered, or are still asked, over another channel."""
    asked = {way for a in case.asks if case.same_voice(a.asked, ask.asked) for way in _ways_of(a)}
    left = tuple(way for way in ways if way not in asked and not answered(case, ask.asked, way))
    if not left:
        return Done(case, "")
    silent_on = tuple(way for way in left if answered(case, ask.asked, way) is None)
    case = noted(case, WayAnswer(ask.asked, silent_on, ask.expires, "no answer in time", agreed=False))
    person = case.person(ask.asked)
    text = f"{case.name_of(ask.asked)} has not answered whether their words may also go {_in_words(left)}."
    todo = _what_to_do(case, person, left) if person else ""
    return Done(case, "", (Tell(DESK, f"{text} {todo}".strip()),))


def ways_standing(case: Case, person: Person) -> str:
    """What somebody answered to the networks, for the desk; "" where there is nothing to agree to."""
    wanted = _sorted(needed(case, person.id)) if case.carried is not None else ()
    if not wanted:
        return ""
    no = tuple(way for way in wanted if answered(case, person.id, way) is False)
    open_ = tuple(way for way in wanted if answered(case, person.id, way) is None)
    yes = tuple(way for way in wanted if answered(case, person.id, way))
    last = next((a for a in reversed(case.carried or ()) if case.same_voice(a.person, person.id) and a.agreed), None)
    parts = [
        *(
            [f"agreed that words also go {_in_words(yes)} ({moment(last.at, case.zone)}, {last.how})"]
            if yes and last
            else []
        ),
        *([f"NOT {_in_words(no)}: said no, or nothing"] if no else []),
        *([f"not yet {_in_words(open_)}"] if open_ else []),
    ]
    return "; ".join(parts)


def not_carried(case: Case, person: Person) -> str:
    """What of somebody's words goes nowhere outside of Matrix for want of a yes, for the board; "" where all goes."""
    ways = _sorted(missing(case, person.id)) if not case.has_withdrawn(person.id) else ()
    if not ways:
        return ""
    quiet = " (reads the joint room, does not write there)" if any(way.where == JOINT for way in ways) else ""
    return f"{person.name}, {_in_words(ways)}{quiet}"


def _may_decide(case: Case, person: PersonId, ways: Iterable[Way]) -> tuple[Way, ...]:
    """Those of them that are theirs to decide: of the joint room once they have accepted the agreement to mediate."""
    return _sorted(way for way in ways if way.where != JOINT or may_join(case, person))


def _unanswered(case: Case, person: PersonId) -> frozenset[Way]:
    return frozenset(way for way in needed(case, person) if answered(case, person, way) is None)


def _unasked(case: Case, person: PersonId) -> frozenset[Way]:
    if case.has_withdrawn(person) or case.phase is Phase.CLOSED:
        return frozenset()
    asked = {way for ask in case.asks if _asks_ways(ask, person) for way in _ways_of(ask)}
    return frozenset(_may_decide(case, person, _unanswered(case, person))) - asked


def _news(before: Case, after: Case, person: PersonId) -> bool:
    """Whether something about that person's ways is new."""
    return _unasked(after, person) != _unasked(before, person) or before.carried is None


def _told_in(where: Conversation, ways: Iterable[Way]) -> tuple[Way, ...]:
    """Those of them that may be told in a private room: its own, and those of the joint room."""
    return tuple(way for way in ways if way.where in {JOINT, where})


def _without_those(case: Case, person: PersonId, where: Conversation, ways: tuple[Way, ...]) -> Case:
    """The case without the questions that another in that room takes the place of."""
    asks = (a for a in case.asks if a.asked == person and isinstance(a.act, Carrying))
    void = {a.code for a in asks if a.where == where or set(_ways_of(a)) <= set(ways)}
    return replace(case, asks=tuple(a for a in case.asks if a.code not in void))


def _accepts(ask: Ask, person: PersonId) -> bool:
    return ask.asked == person and isinstance(ask.act, Accepting)


def _asks_ways(ask: Ask, person: PersonId) -> bool:
    return ask.asked == person and isinstance(ask.act, Carrying | Accepting)


def _ways_of(ask: Ask) -> tuple[Way, ...]:
    return ask.act.ways if isinstance(ask.act, Carrying | Accepting) else ()


def _question(case: Case, person: Person, ask: Ask, ways: tuple[Way, ...]) -> Pose:
    joint = any(way.where == JOINT for way in ways)
    title = phrase(
        "{name}, not everyone reads in Matrix, where words are end-to-end encrypted. May yours also go this way?",
        name=person.name,
    )
    private = phrase("Until you have agreed, nothing you write here goes that way.")
    then = together(
        [
            phrase("A yes is kept on record. With a no, none of your words go there; nothing is implied against you."),
            _silent_there(case) if joint else "",
            private if any(way.where != JOINT for way in ways) else "",
        ]
    )
    return Pose(person.id, ask.where, ask.code, title, ways_text(case, ways), then, ask.expires, of_the_case=False)


def _silent_there(case: Case) -> Phrase:
    return phrase("Until you have agreed, you read in {room} and don't write there.", room=label(JOINT, case))


def _nowhere_to_ask(case: Case, person: Person, ways: tuple[Way, ...]) -> str:
    return (
        f"{person.name} has no private room to be asked in whether their words may also go {_in_words(ways)}; until you"
        f" have their yes, they read the joint room and don't write there: !agreement accepted {person.name}: by"
        " telephone"
    )


def _what_to_do(case: Case, person: Person, ways: tuple[Way, ...]) -> str:
    """What helps, for the mediator: none of it happens by itself."""
    joint = any(way.where == JOINT for way in ways)
    carried = {way.network for way in ways}
    others = [p.name for p in case.people if p.endpoint.network in carried and not case.same_voice(p.id, person.id)]
    meanwhile = (
        f"{person.name} reads the joint room and does not write there; what they write in private does not go there"
        if joint
        else f"What {person.name} writes in private does not go there"
    )
    return (
        f"{meanwhile}. You can talk to them, and ask again (!agreement send); release words of theirs one by one, for"
        f" a yes to a release shows who reads it, and how; or have {' and '.join(others) or 'whoever it is'} take part"
        " another way (!channel, or !party remove and !party add with a Matrix id)."
    )


def _in_words(ways: Iterable[Way]) -> str:
    """For the desk."""
    found = sorted({(way.where != JOINT, str(CARRIED_BY[way.network])) for way in ways})
    return " and ".join(
        f"{way} {'in their private room' if private else 'in the joint room'}" for private, way in found
    )


def _all_needed(case: Case) -> frozenset[tuple[PersonId, Way]]:
    return frozenset((person.id, way) for person in case.people for way in needed(case, person.id))


def _who_left(case: Case) -> tuple[PersonId, ...]:
    """Everybody who was in the case and is not any more. Every id that it gives out is a number."""
    given = (PersonId(f"p{number}") for number in range(1, case.made + 1))
    return tuple(person for person in given if case.living(person) is None)


def _all_there_were(case: Case) -> tuple[Way, ...]:
    """Every way of every room: where those sat who left before that was written down, nobody knows."""
    rooms = (JOINT, *(caucus(side.id) for side in case.sides))
    bridged = ((room, p) for p in case.people for room in rooms if p.endpoint.is_bridged and p.id in seated(case, room))
    return _sorted({Way(room, person.endpoint.network) for room, person in bridged})


def _sorted(ways: Iterable[Way]) -> tuple[Way, ...]:
    return tuple(sorted(ways, key=lambda way: (way.where != JOINT, way.where.id, way.network)))
