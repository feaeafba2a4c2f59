"""People who take part by mail: their address, whether anything is sent there, and what became of what was."""

from __future__ import annotations

from dataclasses import replace

from policies import showing
from policies.case import Case, EndpointId, Network, Person, Role, address_key
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem
from policies.effects import Effect, Resume
from policies.frozen import frozen
from policies.networks.delivery import by_link, channel_key
from policies.networks.mail import has_come_back
from policies.outcome import Done, Facts, Outcome, Refused, reached_by
from policies.people.joining import anew, introductions
from policies.words.text import one_line

PAUSED = "a mediator paused it"


@frozen
class PauseMail:
    """Nothing is sent to that person's mailbox until it is resumed; what is said meanwhile waits."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Stopped, at once."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        why = person.endpoint.stopped if has_come_back(person.endpoint) else PAUSED
        stopped = replace(person, endpoint=replace(person.endpoint, stopped=why))
        answer = f"Nothing is mailed to {person.name} any more; what is said waits. !mail resume {person.name} goes on."
        return Done(case.with_person(stopped), answer)


@frozen
class ResumeMail:
    """What waited for that mailbox goes out."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Open again."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        if person.endpoint.stopped is None:
            return Refused(f"Mail to {person.name} is not stopped", f"!mail status {person.name} shows what was sent")
        going = replace(person, endpoint=replace(person.endpoint, stopped=None))
        answer = f"Mail to {person.name} goes on; what waited is sent now."
        now = case.with_person(going)
        # What they were to read behind the link that came back is mailed by nothing else; what waited goes before it.
        lost = by_link(going) and has_come_back(person.endpoint)
        link = introductions(now, going)[:1] if lost else ()
        return Done(now, answer, (Resume(channel_key(case, person.endpoint.id)), *link))


@frozen
class ChangeAddress:
    """The person is reached at another mailbox from now on; the old reply addresses stop working."""

    name: str
    address: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A new channel, with no consent yet: that was about the old mailbox. Whoever still has the old mails can't
        write with them any more."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        roles = case.roles(person.id)
        role = roles[0].role if roles else Role.PARTY
        problem = address_problem(AddPerson(person.name, Network.EMAIL, self.address, role), facts)
        if problem:
            return problem
        known = case.at_address(Network.EMAIL, self.address)
        if known:
            return Refused(f"{self.address} is {known.name}'s address in this case", "No two people share a mailbox")
        moved, invited = _reached_anew(case, person, self.address, facts)
        answer = (
            f"{person.name} is reached at {self.address} from now on: a link goes there, and the old reply addresses"
            f" are refused. Until {person.name} has confirmed behind that link that the address is theirs, no words are"
            f" mailed there, and none are taken from there. Tell {person.name} the PIN for it by telephone: !mail pin"
            f" {person.name}. The consent to words by mail was given for the old mailbox; the page asks for it again."
        )
        return Done(moved, answer, invited)


@frozen
class VerifyAddress:
    """The person is asked once more to show that the mailbox is theirs: by a link that goes there, and a PIN that a
    mediator tells them."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """As if the address were new: nothing that was believed of it before counts until then."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        if person.endpoint.silence:
            why = f"Nothing is sent to {person.name} for now: {person.endpoint.silence}"
            return Refused(why, f"!mail resume {person.name} first, or !mail address {person.name} NEW-ADDRESS")
        asked, invited = _reached_anew(case, person, person.endpoint.address, facts)
        answer = (
            f"A link goes to {person.endpoint.address}. The address counts as {person.name}'s once it is confirmed"
            " behind that link, with the PIN that follows here. Until then no words are mailed there, and none are"
            " taken from there. Former links and reply addresses are refused. Whether words may be mailed is asked on"
            " the page, too."
        )
        return Done(asked, answer, (*invited, showing.GivePin(person.id)))


@frozen
class InviteAgain:
    """The first mail of each of that person's rooms is sent once more."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Sent, unless mail to them is stopped."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        invited = introductions(case, person)
        again, later = anew(case, person, facts.at) if person.joining and not person.joining.came else (case, ())
        return Done(again, f"{person.name} is invited again, by {len(invited)} mail(s).", (*invited, *later))


@frozen
class GivePin:
    """That person gets a PIN for the page behind the links; a former one stops working."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The desk is shown it, once."""
        person = reached_by(case, self.name, Network.EMAIL)
        return person if isinstance(person, Refused) else Done(case, "", (showing.GivePin(person.id),))


@frozen
class LinksOnly:
    """No words go to that person's mailbox any more, only links."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The consent is withdrawn; the old reply addresses are refused."""
        person = reached_by(case, self.name, Network.EMAIL)
        if isinstance(person, Refused):
            return person
        if person.endpoint.content_consent is None:
            return Refused(f"{person.name} gets no words by mail as it is", f"!mail pin {person.name} gives them a PIN")
        number = case.made + 1
        endpoint = replace(
            person.endpoint, id=EndpointId(f"e{number}"), first=person.endpoint.mailbox, content_consent=None
        )
        now = replace(case.with_person(replace(person, endpoint=endpoint)), made=number)
        answer = (
            f"From now on {person.name} gets links without words, and needs a PIN: !mail pin {person.name}. What was"
            " mailed before stays where it is."
        )
        return Done(now, answer, (Resume(channel_key(case, person.endpoint.id)),))


@frozen
class ShowMails:
    """What became of the latest mails to a person."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        person = reached_by(case, self.name, Network.EMAIL)
        return person if isinstance(person, Refused) else Done(case, "", (showing.ShowMails(person.id),))


@frozen
class ShowHeaders:
    """The header of the mail that brought a held message; without a number, the one that the command replies to."""

    item: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing; that somebody looked stands on record."""
        if self.item is None and facts.quoted is None:
            return Refused(
                "Which mail?", "!held lists what is held; in a private room, reply to what somebody wrote by mail"
            )
        message = facts.quoted.message if self.item is None and facts.quoted else None
        which = f"held message {one_line(self.item)}" if self.item else "the message that you replied to"
        answer = f"The header of the mail of {which} is shown here; that stands on record."
        return Done(case, answer, (showing.ShowHeaders(self.item or "", message),))


def _reached_anew(case: Case, person: Person, address: str, facts: Facts) -> tuple[Case, tuple[Effect, ...]]:
    """By a channel of which nothing is known yet; and the first letters there."""
    number = case.made + 1
    same = address_key(Network.EMAIL, address) == address_key(Network.EMAIL, person.endpoint.address)
    endpoint = replace(
        person.endpoint,
        id=EndpointId(f"e{number}"),
        first=person.endpoint.mailbox if same else None,
        address=address,
        content_consent=None,
        stopped=None,
        enrolled=None,
    )
    moved = replace(case.with_person(replace(person, endpoint=endpoint)), made=number)
    moved, later = anew(moved, person, facts.at)
    return moved, (Resume(channel_key(case, person.endpoint.id)), *introductions(moved, person), *later)


def _change(words: list[str]) -> ChangeAddress | str:
    if len(words) < 2 or "@" not in words[-1]:
        return "It needs a name, and the new address"
    return ChangeAddress(" ".join(words[:-1]), words[-1])


def _of(words: list[str]) -> str:
    return " ".join(words)


_NAMELESS = "A name is missing"

MailCommand = (
    PauseMail | ResumeMail | ChangeAddress | VerifyAddress | InviteAgain | GivePin | LinksOnly | ShowMails | ShowHeaders
)

FORMS: tuple[Form[MailCommand], ...] = (
    Form(
        "mail status",
        "!mail status NAME",
        "what became of the latest mails to somebody",
        "!mail status Carl",
        lambda words: ShowMails(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail pause",
        "!mail pause NAME",
        "nothing is sent to somebody's mailbox until you resume it",
        "!mail pause Carl",
        lambda words: PauseMail(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail resume",
        "!mail resume NAME",
        "what waited for somebody's mailbox is sent",
        "!mail resume Carl",
        lambda words: ResumeMail(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail address",
        "!mail address NAME NEW-ADDRESS",
        "somebody is reached at another mailbox from now on",
        "!mail address Carl carl@example.com",
        _change,
    ),
    Form(
        "mail verify",
        "!mail verify NAME",
        "somebody is asked again to confirm the address: by a link, and a PIN that you tell them",
        "!mail verify Carl",
        lambda words: VerifyAddress(_of(words)) if words else _NAMELESS,
    ),
    Form(
        "mail invite",
        "!mail invite NAME",
        "the first mail of each room is sent to somebody again",
        "!mail invite Carl",
        lambda words: InviteAgain(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail pin",
        "!mail pin NAME",
        "a PIN for the page behind somebody's links; tell it by telephone, never by mail",
        "!mail pin Carl",
        lambda words: GivePin(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail links",
        "!mail links NAME",
        "no words go to somebody's mailbox any more, only links (!consent is the other way)",
        "!mail links Carl",
        lambda words: LinksOnly(_of(words)) if words else _NAMELESS,
        mediators=True,
    ),
    Form(
        "mail headers",
        "!mail headers [NUMBER]",
        "the header of the mail that brought a held message, or what you reply to in a private room (on record)",
        "!mail headers 1",
        lambda words: ShowHeaders(words[0] if words else None),
        mediators=True,
        caucus=True,
    ),
)
