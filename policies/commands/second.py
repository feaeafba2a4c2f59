"""Somebody has a second channel, or leaves one of two (B5, R11, ADR 56).

The second channel is another record of the case with everything of its own: address, ghost, consent, confirmation,
acceptance of the agreement, PIN. So nothing that the one may, the other may for that. What counts or restrains people
finds both by their voice (`Case.voice`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policies import showing
from policies.case import Case, Consent, Endpoint, EndpointId, Leg, Network, Person, PersonId, Role
from policies.commands.agreement import on_paper
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem, channel_of, removed, somebody_elses
from policies.commands.ways import ON_PAPER
from policies.effects import Effect, Inform, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.quiet import still_until
from policies.networks.way import CARRIED_BY
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.joining import going_on
from policies.people.membership import caucuses_of, may_join
from policies.questions.ask import Doubling, Leaving
from policies.releases.releasing import closed
from policies.words.phrase import Phrase, phrase

TWO_CHANNELS = frozenset({Role.PARTY, Role.COUNSEL, Role.SUPPORTER, Role.INTERPRETER})
"""Who has a private room, in which each channel is told of the other."""


@frozen
class AddChannel:
    """Somebody is reached over another network, too."""

    name: str
    network: Network
    where: str
    consent: Consent | None = None
    """To have the words themselves sent there."""
    accepted: Consent | None = None
    """That the agreement to mediate was accepted on paper by them, as whoever reads there."""

    @property
    def address(self) -> AddPerson:
        """The new address, as if somebody came in with it."""
        return AddPerson(self.name, self.network, self.where)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first; the organisation isn't asked."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        act = Doubling(person.id, self.network, self.where)
        if facts.by is None:
            return doubled(case, act, facts, self)
        problem = _problem(case, person, act, facts)
        if problem:
            return problem
        line = f"!channel add {person.name} {self.where}"
        return confirm(case, act, line, facts, words=_preview(person, act))


@frozen
class LeaveChannel:
    """Of somebody's two channels one ends."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first; the organisation isn't asked."""
        leg = case.named(self.name)
        if leg is None:
            return no_such_person(case, self.name)
        if len(case.legs_of(leg.id)) < 2:
            return Refused(
                f"{leg.name} has one channel", f"!party remove {leg.name} takes them off; !channel gives them another"
            )
        act = Leaving(leg.id)
        if facts.by is None:
            return ended(case, act, facts)
        return confirm(case, act, f"!channel leave {leg.of_network}", facts, words=_losses(case, leg))


def doubled(case: Case, act: Doubling, facts: Facts, given: AddChannel | None = None) -> Outcome:
    """They have it from now on, once it shows that it is theirs as every channel does; both channels are told."""
    person = case.living(act.person)
    if person is None:
        return Done(case, "They take part no more already.")
    problem = _problem(case, person, act, facts)
    if problem:
        return problem
    number = case.made + 1
    leg = replace(
        person,
        id=PersonId(f"p{number}"),
        endpoint=Endpoint(EndpointId(f"e{number}"), act.network, act.address, given.consent if given else None),
        digest=None,
        joining=None,
    )
    if act.network is Network.MATRIX:  # When it is quiet there, and what is shown, is set in the app.
        leg = replace(leg, quiet=None, rests=None, discreet=None)
    after = replace(
        case,
        made=number,
        people=(*case.people, leg),
        participations=(*case.participations, *(replace(p, person=leg.id) for p in case.roles(person.id))),
        legs=(*case.legs, Leg(leg.id, case.voice(person.id))),
    )
    if given and given.accepted:
        after = on_paper(after, leg, given.accepted)
    effects = (
        *_warned(after, person, _also(act.network), facts),
        *_warned(after, leg, _also(person.endpoint.network), facts),
        *([showing.GivePin(leg.id)] if act.network is Network.EMAIL and facts.by else []),
    )
    return Done(after, f"{person.name} is reached {_at(leg)}, too. {_leaves(person)} {_needs(leg)}", effects)


def ended(case: Case, act: Leaving, facts: Facts) -> Outcome:
    """Nothing goes there any more, and nothing that comes from there is theirs. What was theirs stays, by the other."""
    leg = case.person(act.leg)
    if leg is None:
        return Done(case, "That channel is theirs no more already.")
    if len(case.legs_of(leg.id)) < 2:
        return Refused(f"{leg.name} has no other channel any more", f"!party remove {leg.name} takes them off")
    for release in case.releases:
        case = closed(case, release.id) if release.author == leg.id else case
    left = removed(case, leg)
    if isinstance(left, Refused):
        return left
    text = phrase(
        "You take part here alone from now on, and no more {by}. If you did not ask for that, tell the mediator at"
        " once, by telephone.",
        by=CARRIED_BY[leg.endpoint.network],
    )
    # How far they have come in is theirs, and not the channel's.
    heirs = tuple(replace(one, joining=leg.joining) for one in left.case.legs_of(leg.id) if one.joining is None)
    after = left.case.with_people(*heirs)
    stays = after.legs_of(leg.id)
    effects = (
        Resume(channel_key(case, leg.endpoint.id)),
        *(effect for other in stays for effect in _warned(after, other, text, facts)),
        *(alarm for heir in heirs for alarm in going_on(heir)),
    )
    how = " and ".join(_at(other) for other in stays)
    return Done(after, f"{leg.name} is not reached {_at(leg)} any more, and is {how}.", effects)


def _problem(case: Case, person: Person, act: Doubling, facts: Facts) -> Refused | None:
    """Why they can't be reached there, too, and what would work."""
    roles, legs = case.roles(person.id), case.legs_of(person.id)
    if not roles or any(p.role not in TWO_CHANNELS for p in roles):
        what = roles[0].role if roles else "nobody"
        return Refused(
            f"{person.name} is {what} here: a second channel is for parties, counsel, supporters and interpreters",
            "!status shows who takes part as what",
        )
    if case.has_withdrawn(person.id):
        return Refused(f"{person.name} has withdrawn", f"!resume {person.name} has them take part again; then say it")
    if len(legs) > 1:
        each = " or ".join(f"!channel leave {leg.of_network}" for leg in legs)
        return Refused(f"{person.name} has two channels, and nobody has three", f"First {each}")
    if act.network is legs[0].endpoint.network:
        return Refused(f"{person.name} takes part {CARRIED_BY[act.network]} already", _SAME[act.network])
    wanted = AddPerson(person.name, act.network, act.address, roles[0].role)
    return address_problem(wanted, facts) or somebody_elses(case, wanted, "address")


_SAME = {
    Network.MATRIX: "They can be signed in on several devices with the account that they have",
    Network.EMAIL: "!mail address NAME ADDRESS sets another mailbox in its place",
    Network.WHATSAPP: "!whatsapp number NAME NUMBER sets another number in its place",
}


def _preview(person: Person, act: Doubling) -> str:
    """What the mediator should know before."""
    lines = [
        f"{person.name} is reached {_at(person)} now, and would be {CARRIED_BY[act.network]} at {act.address}, too.",
        "Make sure by telephone that they want it, and that the address is theirs: whoever reads there reads their"
        " private room from now on, nothing older, and sees their documents. Both channels are told.",
        "It needs all that a channel needs, for itself: the agreement accepted there,"
        f" {_NEEDED[act.network]}. They remain one: one answer, one turn; a mute, a pause or a"
        " withdrawal holds for both.",
    ]
    if person.endpoint.doubt:
        lines.append(f"CAREFUL: the channel that they have is in doubt: {person.endpoint.doubt.why}.")
    if person.discreet and act.network is Network.MATRIX:
        lines.append("They have contact that tells nothing. In Matrix, what a locked screen shows is set in the app.")
    return "\n".join(lines)


_NEEDED = {
    Network.MATRIX: "and the invitation taken up",
    Network.EMAIL: "and the mailbox confirmed",
    Network.WHATSAPP: "and the consent to WhatsApp on record",
}


def _losses(case: Case, leg: Person) -> str:
    """What ends with it, and whether the other is fit to be the only one."""
    lines = [
        f"{leg.name} is reached {_at(leg)} no more: nothing goes there, what comes from there is not theirs, and what"
        " was asked there is closed, with what they submitted from there. What was read there can't be unread.",
    ]
    for other in (one for one in case.legs_of(leg.id) if one != leg):
        lines.append(f"They stay {_at(other)}. What was on its way to the former channel is not sent there.")
        lines += [f"CAREFUL: {lack}" for lack in _lacks(case, other)]
    return "\n".join(lines)


def _lacks(case: Case, leg: Person) -> Iterator[str]:
    how_far = next((one.joining for one in case.legs_of(leg.id) if one.joining), None)
    if how_far and how_far.came is None:
        yield "they have not come in yet, by either."
    elif not _shown_in(case, leg):
        yield "nothing that came from there shows yet that they are in: telephone, so that nobody is cut off."
    if not leg.endpoint.is_confirmed:
        yield f"the mailbox is not confirmed yet, so links alone go there (!mail pin {leg.name})."
    if leg.endpoint.network is Network.WHATSAPP and leg.endpoint.content_consent is None:
        yield f"no consent is on record, so nothing goes there (!consent {leg.of_network}: …)."
    if leg.endpoint.silence:
        yield f"nothing is sent there now: {leg.endpoint.silence}."
    if leg.endpoint.doubt:
        yield f"it is in doubt: {leg.endpoint.doubt.why}."
    if not may_join(case, leg.id):
        yield "the agreement is not accepted there, so the joint room is not read there (!agreement send)."


def _shown_in(case: Case, leg: Person) -> bool:
    """Whether an act of theirs came by that channel, as far as the case knows; in Matrix, it knows of the agreement."""
    if leg.endpoint.network is Network.MATRIX:
        accepted = case.accepted(leg.id)
        return accepted is not None and not accepted.how.startswith(ON_PAPER)
    return leg.endpoint.enrolled is not None or leg.endpoint.seen is not None


def _needs(leg: Person) -> str:
    """What is still to be done for it to carry words."""
    match leg.endpoint.network:
        case Network.MATRIX:
            return "They are invited in Matrix."
        case Network.EMAIL:
            return f"Links without words are mailed; they open with a PIN (!mail pin {leg.name})."
        case Network.WHATSAPP if leg.endpoint.content_consent:
            return "The consent is on record."
        case Network.WHATSAPP:
            return (
                f"Until the consent is on record, nothing is sent: !consent {leg.of_network}: agreed by telephone to"
                " take part by WhatsApp, which Meta can read"
            )


def _leaves(person: Person) -> str:
    return f"If they want to leave the other, say so once they are in here: !channel leave {person.of_network}."


def _at(leg: Person) -> str:
    return f"{CARRIED_BY[leg.endpoint.network]} at {leg.endpoint.address}"


def _also(network: Network) -> Phrase:
    return phrase(
        "You take part {by}, too. What you write there counts as yours, as what you write here does, and is not"
        " repeated to you; a question is answered once. If you did not ask for that, tell the mediator at once, by"
        " telephone.",
        by=CARRIED_BY[network],
    )


def _warned(case: Case, leg: Person, text: Phrase, facts: Facts) -> tuple[Effect, ...]:
    """What tells them to speak up is kept by the quiet hours and the rest that they have now, and by none that is asked
    for after it: whoever has the other channel can ask for that, too."""
    due = still_until(leg.quiet, leg.rests, facts.at) or facts.at
    return tuple(Inform(leg.id, own, text, due=due) for own in caucuses_of(case, leg.id)[:1])


SecondCommand = AddChannel | LeaveChannel


def _add(words: list[str]) -> AddChannel | str:
    at = next((i for i, word in enumerate(words) if "@" in word or word.startswith(("+", "00"))), None)
    if not at:
        return "It needs a name, and another address or number of theirs"
    return AddChannel(" ".join(words[:at]), *channel_of(" ".join(words[at:])))


FORMS: tuple[Form[SecondCommand], ...] = (
    Form(
        "channel add",
        "!channel add NAME ADDRESS",
        "somebody is reached over another network, too: in Matrix, by mail or by WhatsApp (asks first)",
        "!channel add Bea bea@example.org",
        _add,
    ),
    Form(
        "channel leave",
        "!channel leave NAME (mail|WhatsApp|matrix)",
        "somebody leaves one of two channels and stays by the other (asks first)",
        "!channel leave Bea (WhatsApp)",
        lambda words: LeaveChannel(" ".join(words)) if words else "It needs a name, and which channel: Bea (mail)",
    ),
)
