"""What is surely its author's, and not surely fit for all, stands aside: in its author's own private room (I2).

    a mail for all ─ it quotes what can't be told apart ┐
                   ─ it repeats a private room         ─┼─▶ held, whole, for the mediators
                   ─ something is attached             ─┤   its author's own words in their own room
    a message that was forwarded from another chat     ─┘   its author is asked: may they be shown to all?

After a yes it waits for the mediator like everything on its way out of a private room (`commands.release`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from policies.case import DESK, JOINT, Case, Person
from policies.effects import Announce, Effect, Hold, Inform, Tell
from policies.frozen import frozen
from policies.message import AuthenticatedMail, Message, MessageId, Text, Unreadable
from policies.moderation.floor import objection
from policies.moderation.guard import repeats
from policies.outcome import Facts
from policies.people.membership import caucuses_of
from policies.plan import desk_label, label
from policies.releases.releasing import offered
from policies.words.phrase import Phrase, phrase, stored, together

REPEATS = phrase("words in it stand in a private room, too")
ATTACHED = phrase("it has files, which stay private when they come by mail")
WRITE_ANEW = phrase("To have something posted, write a new mail to the same address, with your words alone.")


@frozen
class Aside:
    """A message as it stands in its author's own room, and the case and the effects of it being there."""

    case: Case
    kept: Message
    effects: tuple[Effect, ...]


def objection_to(case: Case, message: Message, facts: Facts) -> Phrase | None:
    """Why a proven mail is not fit for where it was sent, though its words are certain."""
    if not isinstance(message.proof, AuthenticatedMail) or message.conversation != JOINT:
        return None
    if message.files:
        return ATTACHED
    body = message.content.body if isinstance(message.content, Text) else ""
    private = {own.id for own in caucuses_of(case, message.author)}
    return REPEATS if repeats(body, facts.elsewhere, private) else None


def put_aside(case: Case, message: Message, author: Person, why: str, facts: Facts) -> Aside | None:
    """What follows; None for whoever has no private room, or several, or may not speak there, and for what has no words
    of its author's."""
    kept = _kept(case, message)
    if kept is None or objection(case, author.id, kept.conversation):
        return None
    meant, where = message.conversation, kept.conversation
    asked: tuple[Effect, ...] = ()
    if meant == JOINT:
        case, asked = _asked(case, kept, author, why, facts)
    number = f" {case.releases[-1].id}: they are asked whether it may be shown to all." if len(asked) > 1 else ""
    what = "a mail" if isinstance(message.proof, AuthenticatedMail) else "a message"
    told = (
        f"Held: {what} of {author.name}'s for {desk_label(meant, case)}, because {why}. What is probably their own of"
        f" it stands in {desk_label(where, case)}.{number} !held shows all of it."
    )
    text = phrase(
        "The next message is what seems to be {name}'s own words in a message, of which the mediators have all, because"
        " {why}.",
        name=author.name,
        why=stored(why),
    )
    by_mail = phrase(
        "The next message is what seems to be {name}'s own words in a mail, of which the mediators have all, because"
        " {why}.",
        name=author.name,
        why=stored(why),
    )
    not_there = phrase("It was written to {room}, and is NOT posted there.", room=label(meant, case))
    notice = by_mail if isinstance(message.proof, AuthenticatedMail) else text
    notice = notice if meant == where else together([notice, not_there])
    return Aside(case, kept, (Hold(message.id, why), Announce(where, notice), Tell(DESK, told), *asked))


def _kept(case: Case, message: Message) -> Message | None:
    own = caucuses_of(case, message.author)
    match message.content:
        case Text(words) | Unreadable(own=str() as words):
            pass
        case _:
            return None
    if len(own) != 1 or not words.strip():
        return None
    # Under a name of its own: what came is held under its own.
    name = MessageId(hashlib.sha256(f"aside/{message.id}".encode()).hexdigest()[:40])
    return replace(message, id=name, conversation=own[0], content=Text(words), reply_to=None)


def _asked(case: Case, kept: Message, author: Person, why: str, facts: Facts) -> tuple[Case, tuple[Effect, ...]]:
    """The question to its author whether all may read it; or, where nothing can be asked, what would help."""
    assert isinstance(kept.content, Text)
    not_posted = phrase(
        "What you wrote to {room} was not posted there, because {why}.", room=label(JOINT, case), why=stored(why)
    )
    asked = offered(case, kept, kept.content.body, not_posted, facts)
    text = together([not_posted, phrase("The mediator has it."), WRITE_ANEW])
    return asked or (case, (Inform(author.id, kept.conversation, text),))
