"""To whom documents go, by command, and how that is taken back (D2, D6).

Whatever goes beyond a document's side is a release (`commands.release`): two yeses, both about the very hash.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from policies.case import DESK, JOINT, Case, Conversation, PersonId, caucus
from policies.commands.durations import HOW_LONG, duration
from policies.commands.form import Form
from policies.commands.naming import NUMBER, WHICH, done, find, find_managed
from policies.documents import cards
from policies.documents.carrying import Recall
from policies.documents.document import Action
from policies.documents.rights import at_home, revoked
from policies.documents.sharing import no_way_out, terms
from policies.effects import Inform, Tell
from policies.frozen import frozen
from policies.names import ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.releases.release import Release, Share, Standing
from policies.releases.releasing import ask_author, numbered, previewed
from policies.schedule import Due, Schedule, due_key
from policies.words.phrase import phrase, together, when
from policies.words.text import one_line, skeleton

_GRANT = re.compile(
    r"(?P<number>\S+)(?:\s+(?P<action>view|download))?\s+to\s+(?P<to>.+?)"
    r"(?:\s+for\s+(?P<lasts>\S+))?(?:\s+opens\s+(?P<most>\d{1,4}))?",
    re.IGNORECASE,
)


@frozen
class GrantDocument:
    """Let somebody, a side or all view or download a version."""

    number: str
    to: str
    action: Action = Action.VIEW
    lasts: timedelta | None = None
    most: int | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A release: a mediator's preview and yes, its owner's yes; whoever asks says theirs first."""
        found = find_managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        target = _target(case, self.to, facts)
        if isinstance(target, Refused):
            return target
        document, version = found
        where, person = target
        if person and person in at_home(case, document, version.label):
            return Refused(phrase("They may see it already"), f"!doc show {document.id}")
        why = no_way_out(case, document, version)
        if why:
            return Refused(
                phrase("It can't be given to anybody else: {why}", why=why),
                phrase("Its owner can change its label: !doc label"),
            )
        expires = facts.at + self.lasts if self.lasts else None
        share = Share(document.id, version.number, version.served.sha256, self.action, person, expires, self.most)
        draft = Release(
            ReleaseId(""),
            _asked(case, document.owner, facts),
            None,
            f"{cards.title(document, version)}\n{terms(share)}",
            reworded=False,
            origin=document.home,
            to=where,
            standing=Standing.PREVIEWED,
            at=facts.at,
            share=share,
        )
        return _offered(case, draft, facts)


@frozen
class RequestDocument:
    """A party asks that a document of its own be shown to all, or to download one of somebody else's."""

    number: str
    action: Action = Action.VIEW

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its owner's yes to the readers comes first, then the mediator's; anybody else's wish goes to the desk."""
        found = find(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        if case.same_voice(facts.by, document.owner):
            return GrantDocument(self.number, "all", self.action).perform(case, facts)
        person = case.person(facts.by) if facts.by else None
        if person is None or case.is_staff(person.id):
            return Refused("A party asks for that, in its private room", f"!doc grant {document.id} download to NAME")
        grant = f"!doc grant {cards.number_of(document, version)} {self.action} to {person.name}"
        told = Inform(person.id, facts.where, phrase("The mediator was told of your wish."))
        return Done(
            case,
            f"{person.name} asks to {self.action} {cards.number_of(document, version)}. {grant} offers it.",
            (told,),
        )


@frozen
class RevokeDocument:
    """Take back what was granted, from one person or from everybody."""

    number: str
    name: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once; what was posted in rooms is taken out of them, and off the server where we may."""
        found = find_managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        person = case.voice_named(self.name) if self.name else None
        if self.name and person is None:
            return _nobody(case, self.name, facts)
        after = revoked(document, version.number, case.ids_of(person.id) if person else None, facts.at)
        if after.grants == document.grants:
            return Refused(phrase("Nothing that was granted is left to take back"), f"!doc history {document.id}")
        whose = person.name if person else phrase("everybody")
        number = cards.number_of(document, version)
        note = phrase("{number} is taken back from {name}.", number=number, name=whose)
        kept = phrase("Who has downloaded or copied it still has that.")
        return done(case.with_document(after), note, facts, Recall(document.id), shown=together([note, kept]))


@frozen
class ExpireDocument:
    """Let what was granted end by itself."""

    number: str
    lasts: timedelta

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Never later than it would have ended."""
        found = find_managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        until = facts.at + self.lasts
        ending = tuple(
            replace(g, expires=min(g.expires or until, until))
            if g.version == version.number and g.counts(facts.at)
            else g
            for g in document.grants
        )
        if ending == document.grants:
            return Refused(phrase("Nothing was granted that would last longer"), f"!doc history {document.id}")
        alarm = Schedule(until, due_key(Due.DOCUMENT, document.id))
        note = phrase(
            "What was granted of {number} ends {time}.",
            number=cards.number_of(document, version),
            time=when(until, case.zone_of(facts.by)),
        )
        return done(case.with_document(replace(document, grants=ending)), note, facts, alarm, shown=note)


def _asked(case: Case, owner: PersonId, facts: Facts) -> PersonId:
    """By which channel its owner is asked: the one that they say it on; else the one that brought it, or is left."""
    if facts.by and case.same_voice(owner, facts.by):
        return facts.by
    there = case.living(owner)
    return there.id if there else owner


def _offered(case: Case, draft: Release, facts: Facts) -> Outcome:
    """On its way: a mediator is shown the preview; anybody else says yes to the readers first."""
    found = numbered(case, draft, facts)
    if isinstance(found, Refused):
        return found
    case, release = found
    if facts.by and case.is_staff(facts.by):
        shown = previewed(case, release, facts)
        if isinstance(shown, Refused):
            return shown
        # Not as the answer, which goes on record: a document's name is its owner's words.
        return replace(shown, answer="", effects=(Tell(DESK, shown.answer), *shown.effects))
    try:
        case, effects = ask_author(case, release, Standing.SUBMITTED, facts)
    except LookupError:
        return Refused(phrase("That can't be passed on from here"), phrase("Ask your mediator"))
    return Done(case, f"A document is submitted ({release.id}), and its owner is asked to confirm it.", effects)


def _target(case: Case, name: str, facts: Facts) -> tuple[Conversation, PersonId | None] | Refused:
    """The conversation, and the one person in it if it is not for all of them."""
    if skeleton(name) in {skeleton("all"), skeleton("joint"), skeleton("everyone")}:
        return JOINT, None
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    if side:
        return caucus(side.id), None
    person = case.voice_named(name)
    if person is None:
        return _nobody(case, one_line(name), facts)
    own = caucuses_of(case, person.id)
    if len(own) != 1:
        return Refused(
            phrase("{name} has no private room, or several", name=person.name), phrase("Name a side, or all")
        )
    return own[0], person.id


def _nobody(case: Case, name: str, facts: Facts) -> Refused:
    """A party is told no name of the others: it may not know yet who takes part."""
    if facts.by is None or case.is_staff(facts.by):
        return no_such_person(case, name)
    return Refused(phrase("Nobody here is called {name}", name=name), phrase("Name a side, or all"))


GrantCommand = GrantDocument | RequestDocument | RevokeDocument | ExpireDocument


def _grant(words: list[str]) -> GrantDocument | str:
    said = _GRANT.fullmatch(" ".join(words))
    if said is None or not NUMBER.fullmatch(said["number"]):
        return phrase("Name a document, what may be done with it, and who")
    lasts = duration(said["lasts"]) if said["lasts"] else None
    if said["lasts"] and lasts is None:
        return HOW_LONG
    most = int(said["most"]) if said["most"] else None
    if most == 0:
        return phrase("It is opened once at least")
    return GrantDocument(said["number"], said["to"], Action((said["action"] or "view").lower()), lasts, most)


def _request(words: list[str]) -> RequestDocument | str:
    if not words or not NUMBER.fullmatch(words[0]) or words[1:] not in ([], ["view"], ["download"]):
        return WHICH
    return RequestDocument(words[0], Action(words[1]) if words[1:] else Action.VIEW)


def _revoke(words: list[str]) -> RevokeDocument | str:
    if not words or not NUMBER.fullmatch(words[0]):
        return WHICH
    name = " ".join(words[1:]).removeprefix("from ").strip()
    return RevokeDocument(words[0], name or None)


def _expire(words: list[str]) -> ExpireDocument | str:
    if len(words) != 3 or not NUMBER.fullmatch(words[0]) or words[1].lower() != "in":
        return WHICH
    lasts = duration(words[2])
    return ExpireDocument(words[0], lasts) if lasts else HOW_LONG


FORMS: tuple[Form[GrantCommand], ...] = (
    Form(
        "doc grant",
        "!doc grant D1 [view|download] to NAME|SIDE|all [for 3d] [opens 5]",
        phrase("lets others see a document, once its owner and a mediator have agreed"),
        "!doc grant D1 view to all for 7d",
        _grant,
        caucus=True,
        party=True,
    ),
    Form(
        "doc request",
        "!doc request D1 [view|download]",
        phrase("asks the mediator to show a document of yours to all, or to let you have another's"),
        "!doc request D1",
        _request,
        desk=False,
        party=True,
    ),
    Form(
        "doc revoke",
        "!doc revoke D1 [NAME]",
        phrase("takes back what was granted, from one person or from everybody"),
        "!doc revoke D1 Bob",
        _revoke,
        caucus=True,
        party=True,
    ),
    Form(
        "doc expire",
        "!doc expire D1 in 3d",
        phrase("lets what was granted end by itself"),
        "!doc expire D1 in 3d",
        _expire,
        caucus=True,
        party=True,
    ),
)
