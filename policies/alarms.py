"""What follows when a room, a device or an identity is not as it should be: the desk knows, and whom it concerns."""

from __future__ import annotations

from policies.case import DESK, Case, Conversation, Network, Person
from policies.effects import Decision, Explain, Inform, Reconcile, Tell
from policies.people.membership import caucuses_of, readers
from policies.plan import RoomKey, code_key, desk_label
from policies.words.phrase import Phrase, phrase
from policies.words.text import one_line, technical


def decide_tampering(case: Case, conversation: Conversation | RoomKey, by: str, what: str) -> Decision:
    """Somebody changed a room's settings, which only we may: they are put back, and the desk is alarmed (I9). A room
    that serves no conversation is known by its key alone."""
    where = desk_label(conversation, case) if isinstance(conversation, Conversation) else _aside(case, conversation)
    text = (
        f"ALARM: {one_line(by)} changed a setting ({one_line(what)}) of {where}, which nobody but me should be able to."
        " I am putting it back; ask your homeserver's administrator how it could happen."
    )
    return Decision(case, (Tell(DESK, text), Reconcile()), "tampering", "a room's settings were changed")


def _aside(case: Case, room: RoomKey) -> str:
    """A room in which nobody speaks, in words."""
    told = next((person for person in case.people if code_key(person.id) == room), None)
    return f"the room in which {told.name} alone is told codes" if told else "a Space of this case"


def decide_remade(case: Case, conversation: Conversation) -> Decision:
    """A room had to be made anew: each who comes into it learns why they are asked in again (R12).

    Whoever reads by mail notices nothing: their address is that of the conversation.
    """
    invited = [p for p in case.people if p.id in readers(case, conversation) and p.endpoint.network is Network.MATRIX]
    told = tuple(Inform(person.id, conversation, _remade(person)) for person in invited)
    return Decision(case, told, "remade", "a room was lost")


def _remade(person: Person) -> Phrase:
    return phrase(
        "{name}, this room takes the place of the former one of this name, which can't be used any more. What was said"
        " there is not shown here, nor what was said here before you came in; and nothing that is written there now is"
        " read.",
        name=person.name,
    )


def decide_unsigned_device(case: Case, person: Person, device: str) -> Decision:
    """Somebody has a device that its owner has not cross-signed: they are told how to put it right, where this device
    can read it and no other side can, and the desk learns why they may seem not to read."""
    remedy = phrase(
        "Your device {device} gets nothing of this case, because you have not verified it. In your client's"
        " settings, under Sessions, Devices or Encryption, verify it with another device of yours or with your recovery"
        " key; if you have neither, set up (or reset) your identity there. What is written from then on it can read.",
        device=technical(device),
    )
    where = (DESK,) if case.is_staff(person.id) else caucuses_of(case, person.id)[:1]
    explain = tuple(Explain(person.id, c, remedy, to_unsigned_devices=True) for c in where)
    told = (
        f"{person.name} has a device that is not verified ({technical(device)}). Nothing is encrypted for it;"
        f" {person.name} {'is told' if where else 'must be told'} how to put that right."
    )
    return Decision(case, (*explain, Tell(DESK, told)), "unsigned-device", "the device's owner has not signed it")


def decide_no_device(case: Case, person: Person) -> Decision:
    """Nothing can be encrypted for somebody: a mistyped account, perhaps, that a stranger could take one day."""
    text = (
        f"{person.name} ({one_line(person.endpoint.address)}) has no device that could read here. Perhaps they have not"
        " logged in yet with a client that encrypts; perhaps the account was deactivated, or there is no such one:"
        f" please check the spelling. !party remove {person.name} takes them off."
    )
    return Decision(case, (Tell(DESK, text),), "no-device", "nothing can be encrypted for them")


def decide_replaced(case: Case, person: Person) -> Decision:
    """The encryption identity of somebody in the case is another than the one we knew: they, or somebody else (B5)."""
    text = (
        f"ALARM: the encryption identity of {person.name} was replaced. Until you have made sure that it is really"
        " them, nothing is sent where they read, and what they write waits."
        f" !identity {person.name} shows what is known, and how to confirm it."
    )
    return Decision(case, (Tell(DESK, text),), "identity-replaced", "an identity is another than the pinned one")


def decide_unconfirmed(case: Case, author: Person, conversation: Conversation) -> Decision:
    """Something came from an identity that nobody has confirmed: it waits, and the desk knows."""
    text = (
        f"Held: something from {author.name} in {desk_label(conversation, case)}, until you have confirmed the new"
        f" identity of {author.name} (!identity {author.name}). Whoever reads that room in Matrix may have seen it."
    )
    return Decision(case, (Tell(DESK, text),), "identity-unconfirmed", "its author's identity is not confirmed")
