"""Pause, go on, withdraw, settle, close: by a mediator at the desk; the first three by a party in private, too (R5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policies.case import Case, Person, Phase, Role
from policies.commands.confirming import confirm
from policies.commands.durations import HOW_LONG, duration
from policies.commands.form import Form
from policies.effects import Effect, Inform, Pose
from policies.frozen import frozen
from policies.moderation.closing import begun
from policies.moderation.course import ORGANISATION, PAUSABLE, gone_on, not_withdrawn, paused, withdrawn, without_pause
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.questions.ask import Ending, Withdrawing
from policies.questions.asking import put
from policies.words.phrase import Phrase, phrase, together, when
from policies.words.text import moment

WITHDRAWAL_LASTS = timedelta(days=1)
"""So long a party may answer whether they really withdraw: the question may come to them as a link in a mail."""
_NOTHING = Refused(
    phrase("There is nothing to pause: it has not begun, or is over"), phrase("Ask the mediator where it stands")
)


@frozen
class Pause:
    """The mediation rests, for a time or until whoever paused it takes it back."""

    lasts: timedelta | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once; the others are not told by whom."""
        if case.phase not in PAUSABLE:
            return _NOTHING
        until = facts.at + self.lasts if self.lasts else None
        after, party = paused(case, facts.by or ORGANISATION, until), _party(case, facts)
        ending = f" until {moment(until, case.zone)}" if until else ""
        if party is None:
            return Done(after, f"The mediation is paused{ending}. !resume goes on.")
        paused_now = phrase("The mediation is paused.")
        if until:
            paused_now = phrase("The mediation is paused until {time}.", time=when(until, case.zone_of(party.id)))
        rest = phrase(
            "The others are told so, and not by whom. Here you always reach the mediator. !resume takes it back."
        )
        text = together([paused_now, rest])
        answer = f"{party.name} paused the mediation{ending}. The others aren't told by whom."
        return Done(after, answer, _to(case, party, text))


@frozen
class Resume:
    """It goes on. With a name: that person has withdrawn no more."""

    name: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A mediator goes on from wherever it rests; a party takes its own pause back."""
        party = _party(case, facts)
        if party is not None:
            return _taken_back(case, party)
        if self.name is not None:
            return _returned(case, self.name)
        if case.phase not in {Phase.PAUSED, Phase.SETTLED, Phase.CLOSED}:
            return Refused("The mediation does not rest", "!pause or !pause for 2d would have it rest")
        return Done(gone_on(case), "The mediation goes on.")


@frozen
class Withdraw:
    """Somebody withdraws from the mediation: by their own word, or by a mediator's for them."""

    name: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first."""
        party = _party(case, facts)
        if party is not None:
            return _asked(case, party, facts)
        person = case.voice_named(self.name) if self.name else None
        if person is None:
            return no_such_person(case, self.name or "nobody")
        if not _is_party(case, person) or case.phase not in PAUSABLE:
            return Refused(f"{person.name} can't withdraw now", f"!party remove {person.name} takes them off the case")
        words = f"{person.name} is told, their private room rests, and the mediation is paused until you go on."
        return confirm(case, Withdrawing(person.id), f"!withdraw {person.name}", facts, words=words)


@frozen
class End:
    """The mediation is over: settled, or closed."""

    phase: Phase

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first."""
        if case.phase is self.phase:
            return Refused(f"The case is {self.phase} already", "!resume would go on with it")
        settled = self.phase is Phase.SETTLED
        words = (
            "Nobody but you writes to all any more; private rooms stay open."
            if settled
            else "Nobody writes in any room of the parties any more. What was written can be read."
        )
        return confirm(case, Ending(self.phase), "!settle" if settled else "!close", facts, words=words)


def has_withdrawn(case: Case, person: Person) -> Done:
    """Somebody withdrew, and knows it; nothing is implied."""
    text = phrase(
        "You have withdrawn from the mediation. Nothing follows from that. What you wrote stays as confidential as it"
        " was. This room rests; if there is anything, telephone the mediator."
    )
    answer = f"{person.name} has withdrawn. The mediation is paused. !resume goes on with the others, !close ends it."
    return Done(withdrawn(case, person.id), answer, _to(case, person, text))


def ended(case: Case, phase: Phase, facts: Facts) -> Done:
    """The mediation is over."""
    closing = begun(facts.terms, facts.at) if phase is Phase.CLOSED else None
    after = replace(case, phase=phase, pauses=(), closing=closing)
    return Done(after, f"The case is {phase}. !resume would go on with it.")


def _is_party(case: Case, person: Person) -> bool:
    """Whether the dispute is theirs. Others leave instead: an interpreter may sit on two sides, and silence both."""
    return any(p.role is Role.PARTY for p in case.roles(person.id))


def _party(case: Case, facts: Facts) -> Person | None:
    """The party who gave the command in private; None: a mediator, or the organisation."""
    return None if facts.by is None or case.is_staff(facts.by) else case.person(facts.by)


def _to(case: Case, person: Person, text: Phrase) -> tuple[Effect, ...]:
    """By each of their channels."""
    return tuple(Inform(leg.id, own, text) for leg in case.legs_of(person.id) for own in caucuses_of(case, leg.id)[:1])


def _taken_back(case: Case, party: Person) -> Outcome:
    if not any(case.same_voice(pause.person, party.id) for pause in case.pauses) or case.has_withdrawn(party.id):
        return Refused(phrase("The mediator goes on with it"), phrase("Write here what you would like"))
    after = without_pause(case, party.id)
    if after.phase is Phase.PAUSED:
        told = _to(case, party, phrase("Noted. The mediator will tell you when it goes on."))
        return Done(after, f"{party.name} would go on; another pause lasts. !resume goes on in spite of it.", told)
    return Done(after, f"{party.name} took the pause back: the mediation goes on.")


def _returned(case: Case, name: str) -> Outcome:
    person = case.voice_named(name)
    if person is None:
        return no_such_person(case, name)
    if not case.has_withdrawn(person.id):
        return Refused(f"{person.name} has not withdrawn", "!resume goes on with the mediation")
    back = replace(case, withdrawn=not_withdrawn(case, person.id))
    text = phrase("You take part again, as before. You can write here.")
    return Done(without_pause(back, person.id), f"{person.name} takes part again.", _to(case, person, text))


def _asked(case: Case, party: Person, facts: Facts) -> Outcome:
    """A party is asked in its own private room."""
    own = caucuses_of(case, party.id)[:1]
    if not own or case.phase not in PAUSABLE:
        return _NOTHING
    if not _is_party(case, party):
        return Refused(
            phrase("Only a party withdraws, for its private room rests then"),
            phrase("Ask the mediator to take you off"),
        )
    case, ask, alarm = put(case, Withdrawing(party.id), party.id, own[0], facts, lasts=WITHDRAWAL_LASTS)
    pose = Pose(
        party.id,
        own[0],
        ask.code,
        phrase("{name}, do you withdraw from this mediation?", name=party.name),
        phrase("{name} withdraws from the mediation", name=party.name),
        phrase(
            "If you do, this room rests and the mediation is paused. The others learn that it is paused, and nothing"
            " else. To pause without withdrawing, write !pause."
        ),
        ask.expires,
        of_the_case=False,
    )
    return Done(case, f"{party.name} is asked whether they really withdraw.", (pose, alarm))


def _pause(words: list[str]) -> Pause | str:
    match [word.lower() for word in words]:
        case []:
            return Pause()
        case ["for", word] | [word] if lasts := duration(word):
            return Pause(lasts)
        case _:
            return HOW_LONG


CourseCommand = Pause | Resume | Withdraw | End

FORMS: tuple[Form[CourseCommand], ...] = (
    Form("pause", "!pause [for TIME]", phrase("the mediation rests"), "!pause for 2d", _pause, party=True),
    Form(
        "resume",
        "!resume [NAME]",
        phrase("it goes on; with a name, somebody who had withdrawn takes part again"),
        "!resume",
        lambda words: Resume(" ".join(words) or None),
        party=True,
    ),
    Form(
        "withdraw",
        "!withdraw [NAME]",
        phrase("somebody withdraws: a party in its private room, or you for them (asks first)"),
        "!withdraw Alice",
        lambda words: Withdraw(" ".join(words) or None),
        party=True,
    ),
    Form("settle", "!settle", "the mediation is settled (asks first)", "!settle", lambda _: End(Phase.SETTLED)),
    Form("close", "!close", "the mediation is closed (asks first)", "!close", lambda _: End(Phase.CLOSED)),
)
