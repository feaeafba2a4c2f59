"""Whether a mailbox counts as somebody's: once an act of their own shows that it is theirs, and not before (I4).

    the link that went there + the PIN from the telephone ─▶ confirmed ─▶ words go there, and are believed from there
    a mail from there, before that ─▶ held ─▶ confirmed ─▶ as words of theirs (`policies.networks.counting`)

That a mediator wrote the address down shows nothing: with a slip in it, it is a stranger's, whose mails are proven no
less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.case import DESK, Case, EndpointId, Person, Sort
from policies.effects import Tell
from policies.message import AuthenticatedMail, Message, Unproven
from policies.words.phrase import phrase

UNCONFIRMED: Final = phrase("the mailbox that it came from was not confirmed by its person yet")


def believed(case: Case, message: Message) -> Message:
    """The message with what its proof is worth: that a mailbox sent it proves nothing while nobody has confirmed whose
    that is. In the mediators' room a code that is said from there shows it (`policies.people.colleagues`)."""
    author = case.person(message.author)
    if not isinstance(message.proof, AuthenticatedMail) or author is None or case.sort is not Sort.CASE:
        return message
    if author.endpoint.is_confirmed:
        return message
    return replace(message, proof=Unproven(UNCONFIRMED, "", author.endpoint.mailbox))


def remedy(author: Person) -> Tell:
    """What the mediators can do, so that what is held is passed on."""
    text = (
        f"{author.name} has not confirmed yet that {author.endpoint.address} is theirs, so nothing is believed of it. A"
        f" link goes there, at most once a day; behind it {author.name} confirms with a PIN, which you tell by"
        f" telephone: !mail pin {author.name}. Then what is held of theirs counts. If the address is wrong:"
        f" !mail address {author.name} NEW-ADDRESS"
    )
    return Tell(DESK, text)


def waits_for(message: Message, mailbox: EndpointId) -> bool:
    """Whether all that a held message waits for is that its author confirms that mailbox (`Endpoint.mailbox`)."""
    return isinstance(message.proof, Unproven) and message.proof.channel == mailbox
