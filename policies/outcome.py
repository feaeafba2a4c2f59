"""What an act needs to know, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from policies.case import DESK, Case, Conversation, ConversationId, Network, Person, PersonId
from policies.effects import Begun, Effect, Publish, Tell
from policies.frozen import frozen
from policies.message import Edit, Message, Text, Unproven
from policies.moderation.agreement import Agreement
from policies.moderation.closing import USUAL, Terms
from policies.moderation.hold import AtHand
from policies.moderation.rulebook import IN_FORCE, Rulebook
from policies.names import CaseId, MessageId
from policies.networks.discreet import base_for
from policies.people.identity import Identity
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase, stored, together
from policies.words.zones import UNIVERSAL


@frozen
class Quoted:
    """A message that a command replies to, with its newest words; None if those are none, or nobody knows whose."""

    message: MessageId
    author: PersonId
    words: str | None


@frozen
class Reacted:
    """A message that is reacted to, or of which a reaction is taken back; `standing`: all reactions to it that were
    not taken back before, oldest first."""

    target: Message
    standing: tuple[Message, ...] = ()


def quoted_from(target: MessageId, newest: Message) -> Quoted:
    """What a command replies to, by the newest version of that (I4)."""
    content = newest.content
    if isinstance(newest.proof, Unproven) or not isinstance(content, Text | Edit):
        return Quoted(target, newest.author, None)
    return Quoted(target, newest.author, content.body)


@frozen
class Facts:
    """What an act needs to know beside the case. `by` is None for acts through the API and the CLI."""

    at: datetime
    by: PersonId | None
    code: str
    """A fresh short word for an Ask, should one be needed."""
    server_name: str
    own_prefix: str
    """How the localparts of our own Matrix users begin."""
    reply_domain: str | None
    """Where mail to us goes; None if mail isn't set up."""
    identities: Mapping[PersonId, Identity] = field(default_factory=dict)
    """The encryption identities of the case's people in Matrix, for a command."""
    agreement: Agreement | None = None
    """The organisation's agreement to mediate, as it is now; None if it uses none."""
    rules: Rulebook = IN_FORCE
    """The organisation's rules of the joint room, for a new case."""
    zone: str = UNIVERSAL
    """The organisation's time zone, for a new case."""
    language: Language = Language.ENGLISH
    """The organisation's language, for a new case."""
    where: Conversation = DESK
    """Where a command was given."""
    entry: int = 0
    """The number under which the chain of that audience will have what is decided now."""
    quoted: Quoted | None = None
    """What a command replies to."""
    edited_at: datetime | None = None
    """When that was said which an edit changes."""
    elsewhere: Mapping[str, frozenset[ConversationId]] = field(default_factory=dict)
    """For the guard: where else in the case that was said which is at hand."""
    whatsapp: bool = False
    """Whether there is a WhatsApp bridge."""
    one_number: bool = False
    """Whether all of WhatsApp goes over one number, so that no message tells by itself who should read it."""
    notices_by_whatsapp: bool = False
    """Whether mediators can be told by WhatsApp that something waits at a desk."""
    engaged: frozenset[str] = frozenset()
    """Which of the names on WhatsApp that the act is about take part in another case."""
    documents: bool = False
    """Whether files go to the vault."""
    page: str | None = None
    """What a link to somebody's page begins with; None: there is no page."""
    discreet_page: str | None = None
    """The same for those who asked for discreet contact; None: no other."""
    heads_to: tuple[str, ...] = ()
    """The mail addresses that get the signed heads of the record."""
    deletes_media: bool = False
    """Whether we may delete files from the homeserver."""
    successor: tuple[str, str] | None = None
    """Name and Matrix id of who comes in when no mediator is left at a desk."""
    undo: timedelta = timedelta(0)
    """So long what a mediator writes waits before it leaves to other networks."""
    takes_back: bool = False
    """What is removed is a mediator's own post: of a party's nothing is kept from leaving."""
    unsent: frozenset[PersonId] = frozenset()
    """To whom what is taken back has not left yet, of those who read it outside of Matrix."""
    reacted: Reacted | None = None
    """What a reaction is on, or what the reaction was on that is taken back."""
    changed_by: tuple[MessageId, ...] = ()
    """All changes of what is taken back: each stands in its room beside it."""
    held: AtHand | None = None
    """The held message that a command names."""
    fresh: CaseId | None = None
    """The number of the case that is about to be opened, for a command at the triage desk."""
    first: Message | None = None
    """What the stranger wrote first whom a command at the triage desk is about."""
    terms: Terms = USUAL
    """How long a closed case keeps what it needs no more."""
    organisation: str = ""
    telephone: str = ""
    """Under which the organisation is known to those who take part in no case."""
    before_restore: bool = False
    """What is at hand was said before the service was restored from a backup: it may have been acted on already."""

    def page_elsewhere(self, person: Person) -> str | None:
        """What a link begins with for whoever takes part over another channel than mail: they find documents on the
        page and nothing else, so without documents they have none."""
        return base_for(person.discreet, self.page, self.discreet_page) if self.documents else None


@frozen
class Done:
    """The act was carried out; `answer` says so to whoever gave the command."""

    case: Case
    answer: str
    effects: tuple[Effect, ...] = ()
    begins: Begun | None = None
    """A case that was opened from this one, which is the triage desk."""

    @property
    def in_order(self) -> tuple[Effect, ...]:
        """What follows, in the order of sending: what readers wait for, the answer at the desk, everything else."""
        published = tuple(effect for effect in self.effects if isinstance(effect, Publish))
        answer = (Tell(DESK, self.answer),) if self.answer else ()
        return (*published, *answer, *(effect for effect in self.effects if effect not in published))


@frozen
class Refused:
    """The act was not carried out: what is wrong, and what would work."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return self.told

    @property
    def told(self) -> Phrase:
        """For whoever said it; what a party may say is refused in phrases."""
        problem = stored(self.problem)
        ended = problem if problem.endswith("?") else together([problem, "."], by="")
        return together([ended, stored(self.remedy)])


Outcome = Done | Refused


def no_such_person(case: Case, name: str) -> Refused:
    """The answer to a name that nobody here has, or that doesn't say which of two channels is meant."""
    both = case.called(name)
    if len(both) > 1:
        which = together([leg.of_network for leg in both], by=", ")
        problem = phrase("{name} has two channels, and it is not said which is meant", name=both[0].name)
        return Refused(problem, phrase("Say one of them: {names}", names=which))
    people = ", ".join(p.name for p in case.voices()) or "nobody yet"
    return Refused(phrase("Nobody here is called {name}", name=name), f"In this case: {people}")


def reached_by(case: Case, name: str, network: Network) -> Person | Refused:
    """Who has that name and takes part by that network: of two channels, the one that goes over it."""
    there = [leg for leg in case.called(name) if leg.endpoint.network is network]
    person = there[0] if len(there) == 1 else case.named(name)
    if person is None:
        return no_such_person(case, name)
    if person.endpoint.network is not network:
        by = "mail" if network is Network.EMAIL else network.brand
        return Refused(f"{person.name} does not take part by {by}", "!status shows everybody's channel")
    return person


def own_or_named(
    case: Case, name: str | None, facts: Facts, what: Phrase, example: str, *, whole: bool = False
) -> Person | Refused:
    """Whose `what` a command sets: a mediator names somebody, a party means itself. Its first word is the command's.
    `whole`: it is about the human being, whichever channels are theirs."""
    command = what.partition(" ")[0]
    by = case.person(facts.by) if facts.by else None
    if by and not case.is_staff(by.id):
        mine = name is None or name.casefold() == by.name.casefold()
        return by if mine else Refused(phrase("You can set your own {what} alone", what=what), f"!{command} {example}")
    if name is None:
        return Refused(phrase("Whose {what}?", what=what), f"!{command} Carl {example}")
    return (case.voice_named if whole else case.named)(name) or no_such_person(case, name)
