"""What goes to one person's channel outside Matrix, as that person knows it."""

from __future__ import annotations

from policies.case import Case, Conversation, PersonId
from policies.documents.carrying import Enclose
from policies.effects import AskWhose, Inform, Introduce, Pose, Publish, Relay
from policies.frozen import frozen
from policies.message import Content, MessageId
from policies.people.membership import readers
from policies.plan import label
from rooms.homeserver import Trouble
from rooms.queue import Item

ToPerson = Relay | Introduce | Pose | Inform | AskWhose | Publish | Enclose


@frozen
class Letter:
    """Words on their way to one person's channel outside Matrix. Names and labels are as the person knows them."""

    case: Case
    conversation: Conversation
    room_label: str
    to: PersonId
    readers: tuple[str, ...]
    author: str | None
    content: Content | Pose | Inform | AskWhose | Publish | Enclose | None
    """Questions and notices are the service's own, to this person. None: the first letter of that room."""
    message: MessageId | None
    reply_to: MessageId | None = None
    as_link: bool = False
    """A first letter that was meant to be a link."""
    more: tuple[Enclosed, ...] = ()
    """What goes in the same mail, after it."""


@frozen
class Enclosed:
    """A letter that travels with another, and the item that it is for."""

    item: Item
    letter: Letter


def addressee(effect: ToPerson) -> PersonId:
    """Whom it is for. Raises Trouble for released words that are for a room."""
    match effect:
        case (
            Introduce(person)
            | Relay(to=person)
            | Pose(person)
            | Inform(person)
            | AskWhose(person)
            | Enclose(to=person)
            | Publish(to=str() as person)
        ):
            return person
        case _:
            raise Trouble("a letter to nobody", transient=False)


def letter_to(case: Case, effect: ToPerson) -> Letter:
    """The letter that carries it."""
    to, everyone = addressee(effect), readers(case, effect.conversation)
    others = (p for p in case.people if p.id in everyone and not case.same_voice(p.id, to))
    names = tuple(dict.fromkeys(p.name for p in others))
    room = label(effect.conversation, case)
    if isinstance(effect, Introduce):
        link = effect.as_link
        return Letter(case, effect.conversation, room, to, names, author=None, content=None, message=None, as_link=link)
    if isinstance(effect, Pose | Inform | AskWhose | Publish | Enclose):
        return Letter(case, effect.conversation, room, to, names, author=None, content=effect, message=None)
    author = case.person(effect.author) if effect.author else None
    return Letter(
        case,
        effect.conversation,
        room,
        to,
        names,
        author.name if author else None,
        effect.content,
        effect.message,
        effect.reply_to,
    )
