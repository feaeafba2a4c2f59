"""Somebody is reached over another network from now on: by mail instead of WhatsApp, or the other way round (B5).

They stay the person they are: their ghost, their documents, what they accepted of the agreement. What belongs to the
channel ends with it: its address, links and number, the consent to words, whatever was asked there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policies import showing
from policies.case import DESK, Case, Endpoint, EndpointId, Network, Person
from policies.commands.agreement import asked_to_accept
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem, channel_of, somebody_elses
from policies.effects import Announce, Effect, Reconcile, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.way import CARRIED_BY
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.joining import anew, introductions
from policies.people.membership import conversations, readers
from policies.questions.ask import Accepting, Ask, Carrying, Consenting, Switching, TakingBack
from policies.releases.releasing import closed
from policies.status import readers_text


@frozen
class ChangeChannel:
    """Somebody who takes part by mail is reached by WhatsApp from now on, or the other way round."""

    name: str
    network: Network
    where: str

    @property
    def address(self) -> AddPerson:
        """The new address, as if somebody came in with it."""
        return AddPerson(self.name, self.network, self.where)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first, and says what ends and what has to be done anew."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        problem = _problem(case, person, self.address, facts)
        if problem:
            return problem
        act, line = Switching(person.id, self.network, self.where), f"!channel {person.name} {self.where}"
        return confirm(case, act, line, facts, words=_preview(case, person, act))


def switched(case: Case, act: Switching, facts: Facts) -> Outcome:
    """Nothing goes to the former channel any more, and nothing that comes from there is theirs. What waits goes to the
    new one, once that is confirmed as each network wants it: never to both."""
    person = case.person(act.person)
    if person is None:
        return Done(case, "They take part no more already.")
    problem = _problem(case, person, AddPerson(person.name, act.network, act.address), facts)
    if problem:
        return problem
    over = _questions(case, person)
    for ask in over:
        case = closed(case, ask.act.release) if isinstance(ask.act, Consenting) else case
    number = case.made + 1
    endpoint = Endpoint(EndpointId(f"e{number}"), act.network, act.address)
    moved = replace(person, endpoint=endpoint, digest=person.digest if act.network is Network.EMAIL else None)
    after = replace(case.with_person(moved), made=number, asks=tuple(a for a in case.asks if a not in over))
    after, later = anew(after, moved, facts.at)
    to_accept = [moved] if any(isinstance(ask.act, Accepting) for ask in over) else []
    after, asked = asked_to_accept(after, to_accept, facts)
    effects = (
        Resume(channel_key(case, person.endpoint.id)),
        Reconcile(),  # the ghost's name says by what they take part
        *introductions(after, moved),
        *_told(after, moved),
        *([showing.GivePin(moved.id)] if act.network is Network.EMAIL else []),
        *asked,
        *later,
    )
    return Done(after, " ".join([_now(moved, person), *_again(person, over)]), effects)


def _problem(case: Case, person: Person, wanted: AddPerson, facts: Facts) -> Refused | None:
    """Why somebody can't be reached there instead, and what would work."""
    now = person.endpoint.network
    if not person.endpoint.is_bridged or wanted.network is Network.MATRIX:
        return Refused(
            "Nobody is moved between Matrix and other networks: keys, and what was read with them, are the account's",
            f"!channel add {person.name} {wanted.address} gives them that channel, too; once they have come in there,"
            f" !channel leave {person.of_network} ends the other",
        )
    if wanted.network is now:
        other = "!whatsapp number" if now is Network.WHATSAPP else "!mail address"
        return Refused(f"{person.name} takes part {CARRIED_BY[now]} already", f"{other} {person.name} {wanted.address}")
    if any(leg.endpoint.network is wanted.network for leg in case.legs_of(person.id)):
        return Refused(
            f"{person.name} takes part {CARRIED_BY[wanted.network]} already, by the other channel",
            f"!channel leave {person.of_network} ends this one",
        )
    roles = case.roles(person.id)
    problem = address_problem(replace(wanted, role=roles[0].role) if roles else wanted, facts)
    return problem or somebody_elses(case, wanted, "address")


def _questions(case: Case, person: Person) -> tuple[Ask, ...]:
    """What they were asked there, and have not answered. What they may still take back goes its way as they were told:
    nobody else can answer that."""
    return tuple(a for a in case.asks if a.asked == person.id and a.where != DESK and not isinstance(a.act, TakingBack))


def _preview(case: Case, person: Person, act: Switching) -> str:
    """What the mediator should know before."""
    former = person.endpoint
    lines = [
        f"{person.name} takes part {CARRIED_BY[former.network]} at {former.address} now, and would"
        f" {CARRIED_BY[act.network]} at {act.address}.",
        "Make sure by telephone that they want it, and that the new address is theirs. Nothing goes to the former one"
        " any more, and what comes from there is not theirs; what was sent there, stays there. What waits goes to the"
        " new one, once it is confirmed. Whoever reads with them is told by what they take part.",
    ]
    if former.network is Network.EMAIL:
        lines.append("What lies on their page, and was not read yet, they can't read there any more: say it again.")
    if former.silence:
        lines.append(f"Nothing is sent to them now: {former.silence}. Ask whether they want to hear from you at all.")
    if former.doubt:
        lines.append(f"The former channel is in doubt: {former.doubt.why}. What was held for that stays held.")
    lines += [f"Taken back with it: {line}" for line in _again(person, _questions(case, person))]
    return "\n".join(lines)


def _now(person: Person, before: Person) -> str:
    """How they take part from now on, and what is needed first."""
    at = f"{person.name} is reached {CARRIED_BY[person.endpoint.network]} at {person.endpoint.address} from now on."
    over = f" What comes from {before.endpoint.address} is not theirs any more."
    if person.endpoint.network is Network.EMAIL:
        return f"{at}{over} Links without words are mailed; they open with the PIN that follows here."
    return (
        f"{at}{over} Until the consent is on record, nothing is sent: !consent {person.name}: agreed by telephone to"
        " take part by WhatsApp, which Meta can read."
    )


def _again(person: Person, over: tuple[Ask, ...]) -> Iterator[str]:
    """What a mediator does about questions that were not answered."""
    for ask in over:
        match ask.act:
            case Accepting():
                yield f"{person.name} is asked anew to accept the agreement."
            case Carrying():
                yield f"{person.name} is asked anew over which networks their words may go."
            case Consenting(number):
                yield f"The question about {number}: reply !release to the words again."
            case _:
                yield f"A question with the code {ask.code}: ask {person.name} again."


def _told(case: Case, person: Person) -> Iterator[Effect]:
    """Who reads with them learns which way words go (B2)."""
    there = (c for c in conversations(case) if c != DESK and person.id in readers(case, c))
    yield from (Announce(where, readers_text(case, where)) for where in there)


def _read(words: list[str]) -> ChangeChannel | str:
    at = next((i for i, word in enumerate(words) if "@" in word or word.startswith(("+", "00"))), None)
    if not at:
        return "It needs a name, and the new address or number"
    return ChangeChannel(" ".join(words[:at]), *channel_of(" ".join(words[at:])))


FORMS: tuple[Form[ChangeChannel], ...] = (
    Form(
        "channel",
        "!channel NAME ADDRESS-OR-NUMBER",
        "somebody takes part by mail instead of WhatsApp from now on, or the other way round (asks first)",
        "!channel Bea bea@example.org",
        _read,
    ),
)
