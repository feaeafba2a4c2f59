"""What is kept for the mediators instead of going on, and how its author and the desk learn why (I2, M6, M7)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, Case, Network, Person, PersonId
from policies.effects import Announce, AskWhose, Decision, Effect, Explain, Hold, Inform, Redact, Tell
from policies.message import File, Message, Unproven
from policies.moderation.rules import Breach
from policies.networks.mailbox import remedy
from policies.people.membership import alone_with_mediators, bridged_readers
from policies.plan import desk_label, label
from policies.words.phrase import Phrase, phrase, stored, together


def hold_back(
    case: Case, message: Message, why: str, *, rule: str, meant_for: frozenset[PersonId] = frozenset()
) -> Decision:
    """Kept for the mediator, and said so at the desk; of what came by a bridge the author's side is told, too."""
    author = case.person(message.author)
    who, where = (author.name if author else "Someone"), desk_label(message.conversation, case)
    seen = " Whoever reads that room in Matrix may have seen it." if message.native else ""
    effects: list[Effect] = [
        Hold(message.id, why, meant_for),
        Tell(DESK, f"Held: something from {who} for {where}, because {why}.{seen} !held shows it."),
    ]
    if author and not message.native:
        notice = phrase(
            "Held for the mediator, and not posted: something from {name} for {room}, because {why}.",
            name=who,
            room=label(message.conversation, case),
            why=stored(why),
        )
        effects += [Announce(c, notice) for c in alone_with_mediators(case, message.author, message.conversation)]
    return Decision(case, tuple(effects), rule, why)


def take_away(case: Case, message: Message, author: Person, broken: Breach) -> Decision:
    """It is taken away, kept for the mediators, and its author learns why, in private (M7)."""
    decision = hold_back(case, message, broken.why, rule=broken.rule)
    text = phrase(
        "What you wrote in {room} was taken away, because {why}. {remedy}",
        room=label(message.conversation, case),
        why=broken.why,
        remedy=broken.remedy,
    )
    private = alone_with_mediators(case, author.id, message.conversation)
    explain = tuple(Explain(author.id, c, text, to_unsigned_devices=True) for c in private)
    effects = (Redact(message.conversation, message.id), *decision.effects, *explain)
    return Decision(case, effects, broken.rule, broken.why)


def hold_unproven(case: Case, message: Message, author: Person, proof: Unproven) -> Decision:
    """Not proven to be its author's: shown as nobody's word, passed on to nobody, and the author learns the remedy."""
    decision = hold_back(case, message, proof.why, rule="unproven")
    if author.endpoint.network is Network.EMAIL:
        # Whoever wrote that mail isn't known, and gets no answer; the mailbox on record is asked.
        missing = (remedy(author),) if proof.channel else ()
        asked = AskWhose(author.id, message.conversation)
        return Decision(case, (*decision.effects, *missing, asked), decision.rule, decision.reason)
    if not proof.remedy:
        return decision
    text = phrase(
        "What you wrote was not passed on: {why}. {remedy}", why=stored(proof.why), remedy=stored(proof.remedy)
    )
    private = alone_with_mediators(case, author.id, message.conversation)
    explain = tuple(Explain(author.id, c, text, to_unsigned_devices=True) for c in private)
    return Decision(case, (*decision.effects, *explain), decision.rule, decision.reason)


def hold_unreadable(case: Case, message: Message, author: Person, why: str) -> Decision:
    """Held; and if it was seen in Matrix, its author learns that those on other networks did not get it (B3)."""
    decision = hold_back(case, message, why, rule="unreadable")
    if not message.native:
        where = label(message.conversation, case)
        not_posted = phrase("What you sent to {room} was not posted, because {why}.", room=where, why=stored(why))
        text = together([not_posted, _anew(message, author)])
        own = alone_with_mediators(case, author.id, message.conversation)
        return replace(decision, effects=(*decision.effects, *(Inform(author.id, c, text) for c in own)))
    if {person.id for person in bridged_readers(case, message.conversation)} <= {author.id}:
        return decision
    where = label(message.conversation, case)
    text = phrase(
        "Something from you in {room} did not reach those who read it outside of Matrix, because {why}.",
        room=where,
        why=stored(why),
    )
    own = alone_with_mediators(case, author.id, message.conversation)
    return replace(decision, effects=(*decision.effects, *(Explain(author.id, c, text) for c in own)))


def _anew(message: Message, author: Person) -> Phrase:
    """What would help whoever sent something that was not posted."""
    if isinstance(message.content, File):
        return phrase("Nobody has it. Say in words what is in it, or send it again later.")
    anew = phrase("To have it posted, write it anew, in words of your own.")
    if author.endpoint.network is Network.EMAIL:
        anew = phrase(
            "To have it posted, write a new mail to the same address, with your words alone and above everything else."
        )
    return together([phrase("The mediator has it."), anew])
