"""What follows from mail that no person wrote: reports about our own mails, and machines that answer.

Neither is anybody's word. A report changes what is known of a delivery, and whether more is sent there; nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from policies.case import DESK, Case, Conversation, Endpoint, EndpointId, Kind, Person
from policies.effects import Announce, Decision, Tell
from policies.frozen import frozen
from policies.people.membership import caucuses_of
from policies.plan import desk_label
from policies.words.phrase import phrase


class MailState(StrEnum):
    """What is known of one mail of ours."""

    LEAVING = "leaving"
    """Handed over just now; if that stays so, nobody knows whether it left."""
    ACCEPTED = "accepted"
    """Our mail server has taken charge of it."""
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DELAYED = "delayed"
    FAILED = "failed"
    DELIVERED = "delivered"
    """The mailbox's own server says so; whether anybody has read it, mail does not tell."""

    @property
    def in_words(self) -> str:
        """For the mediator."""
        return _IN_WORDS[self]


_IN_WORDS = {
    MailState.LEAVING: "perhaps sent (no answer)",
    MailState.ACCEPTED: "sent",
    MailState.UNKNOWN: "perhaps sent (no answer)",
    MailState.REFUSED: "refused by the mail server",
    MailState.DELAYED: "delayed, still being tried",
    MailState.FAILED: "came back",
    MailState.DELIVERED: "in the mailbox",
}


@frozen
class Report:
    """What a delivery report says. `status` is a code of RFC 3463 such as 5.1.1; no state: it can't be read."""

    state: MailState | None
    status: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the address itself is no good: trying again will not help."""
        return self.state is MailState.FAILED and self.status.startswith("5")


_CAME_BACK = "a mail came back"


def has_come_back(endpoint: Endpoint) -> bool:
    """Whether nothing is sent to a mailbox because it did not take the last mail."""
    return endpoint.stopped is not None and endpoint.stopped.startswith(_CAME_BACK)


def decide_report(case: Case, person: Person, endpoint: EndpointId, report: Report, more: int = 0) -> Decision:
    """A report about a mail came, which carried so many messages besides the first. The address that it was sent to
    may have been changed since."""
    current = person.endpoint.id == endpoint
    code = f" ({report.status})" if report.status else ""
    a_mail = f"A mail to {person.name}" + (f" with {more + 1} messages" if more else "")
    if report.is_final and current:
        why = f"{_CAME_BACK}{code}"
        stopped = replace(person, endpoint=replace(person.endpoint, stopped=why))
        text = (
            f"{a_mail} came back{code}: that mailbox does not take it. Nothing more is sent there, and"
            f" what is said meanwhile waits. Telephone {person.name}. Then: !mail address {person.name} NEW-ADDRESS, or"
            f" !mail resume {person.name} if the mailbox works again."
        )
        return Decision(case.with_person(stopped), (Tell(DESK, text),), "mail-came-back", why)
    match report.state:
        case None:
            text = f"A report about a mail to {person.name} came that I can't read; it may not have arrived."
        case MailState.FAILED:
            text = f"{a_mail} came back{code}. The next ones are still sent; telephone if it matters."
        case MailState.DELAYED:
            text = f"{a_mail} is delayed{code}. The mail servers are still trying."
        case _:
            return Decision(case, (), "mail-report", "a mail was delivered")
    return Decision(case, (Tell(DESK, text),), "mail-report", "a report about a mail came")


def decide_automatic(case: Case, person: Person, conversation: Conversation) -> Decision:
    """A machine answered for somebody: an absence note, a report, a list. Nobody's words, and never answered."""
    text = phrase(
        "An automatic reply came from {name}'s mailbox. It is not {name}'s word, and is not answered.",
        name=person.name,
    )
    own = caucuses_of(case, person.id)
    where = conversation if conversation in own else own[0] if len(own) == 1 else None
    told = [Announce(where, text)] if where and where.kind is Kind.CAUCUS else []
    desk = Tell(DESK, f"{text} It came to the address for {desk_label(conversation, case)}.")
    return Decision(case, (*told, desk), "automatic-reply", "a machine answered")
