"""Where what someone said goes. The one place that decides it; the default is refusal (I1, I2, I6).

A message never leaves the conversation in which it was said: every effect below names that conversation, the author's
own caucus, or the desk. `tests/invariants` holds this over random histories.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from policies.acts import create, perform
from policies.case import DESK, JOINT, Case, Conversation, Kind, Person, PersonId, Sort
from policies.commands.form import Misunderstood
from policies.commands.handover import reminders
from policies.commands.intake import answered_by_reply
from policies.commands.opening import NewCase
from policies.commands.undo import Undo
from policies.commands.vocabulary import Command, heard_in_private, is_command, parse
from policies.documents.filing import attached, decide_brought, decide_file, not_to_fetch
from policies.effects import (
    Announce,
    Decision,
    Effect,
    EndHold,
    Explain,
    Inform,
    Post,
    Redact,
    Relay,
    Tell,
)
from policies.following import what_follows
from policies.message import Edit, File, Message, MessageId, Reaction, Removal, Text, Unproven, Unreadable
from policies.moderation.aside import ATTACHED, objection_to, put_aside
from policies.moderation.floor import floor_text, objection, spoken
from policies.moderation.hold import HoldEnd
from policies.moderation.keeping import hold_back, hold_unproven, hold_unreadable, take_away
from policies.moderation.rules import breach, tried_out
from policies.moderation.warning import echo_warning
from policies.networks.reactions import decide_reacted, decide_reaction_removed
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.colleagues import shown_code
from policies.people.membership import alone_with_mediators, bridged_readers, may_join, readers
from policies.plan import desk_label, label
from policies.questions.answers import decide_answer, decide_shown
from policies.questions.asking import Answer, manner_of, read_answer
from policies.questions.choice import offered
from policies.releases.confirmed import CONFIRMED, notices
from policies.releases.releasing import closed_all
from policies.status import readers_text
from policies.undoing.deed import Posted
from policies.undoing.recalling import decide_removal
from policies.words.phrase import phrase, stored, together
from policies.words.text import moment, one_line

HELD_TILL_ACCEPTED = phrase("its author has not accepted the agreement to mediate")
HELD_FOR_A_STRANGER = phrase("its author does not take part in that conversation")
HELD_UNSETTLED = phrase("it may have been meant for the room in which its author sat by mistake until just now")


def decide(case: Case, message: Message, facts: Facts) -> Decision:
    """What follows from one message of one person."""
    author = case.person(message.author)
    if author is None or message.author not in readers(case, message.conversation):
        if author and (code := shown_code(case, message)):
            return decide_shown(case, message, code, facts)
        waits = author and message.conversation == JOINT and not may_join(case, author.id)
        return hold_back(case, message, HELD_TILL_ACCEPTED if waits else HELD_FOR_A_STRANGER, rule="not-a-reader")
    match message.content:
        case Reaction() | Removal():
            return _in_clear(case, message, author, message.content, facts)
        case Text() | Edit() | File() | Unreadable():
            pass
        case _:
            assert_never(message.content)
    if facts.documents and _becomes_a_document(case, message):
        return decide_file(case, message, author)
    broken = breach(case, message, facts)
    if broken and not broken.is_tried_out(case):
        return take_away(case, message, author, broken)
    if isinstance(message.proof, Unproven):
        decision = hold_unproven(case, message, author, message.proof)
    elif message.conversation == DESK:
        decision = _at_the_desk(case, message, facts)
    else:
        decision = _proven(case, message, author, facts)
    return tried_out(decision, message, author, broken) if broken else decision


def decide_confirmed(case: Case, message: Message, kept: Message | None, held: MessageId) -> Decision:
    """Somebody says, with proof, that a mail which had none was theirs. Where it was meant to go was never certain
    enough, so `kept` stands in their own room; whoever wants to say it to all can do that on the page."""
    author = case.person(message.author)
    if author is None:
        return hold_back(case, message, HELD_FOR_A_STRANGER, rule="not-a-reader")
    case = closed_all(case, held)
    decision = (
        _confirmed(case, kept, author, message.conversation)
        if kept
        else Decision(
            case,
            (Tell(DESK, f"{author.name} says that the held mail of {moment(message.at, case.zone)} was theirs."),),
            "confirmed-mail",
            "its author has no room of their own",
        )
    )
    return replace(decision, effects=(EndHold(held, HoldEnd.CLAIMED), *decision.effects))


def decide_command(case: Case, command: Command, facts: Facts) -> Decision:
    """What follows from a command that came through the API or the CLI; its answer is told at the desk, too."""
    if facts.before_restore:
        return _before_restore(case, "a command through the API or the command line")
    outcome = create(case, command, facts) if isinstance(command, NewCase) else perform(case, command, facts)
    return _told(case, outcome)


def decide_arrival(case: Case, person: Person, conversation: Conversation) -> Decision:
    """Somebody came into a room that is theirs: they, and all who are there, are told who reads it (B2)."""
    floor = floor_text(case) if conversation == JOINT else ""
    read = Announce(conversation, together([readers_text(case, conversation), floor]))
    told: tuple[Effect, ...] = reminders(case, person) if conversation == DESK else (read,)
    return Decision(case, told, "arrival", "a reader came in")


def decide_departure(case: Case, person: Person, conversation: Conversation) -> Decision:
    """Somebody left a room that is theirs, or turned the invitation down: nobody is dragged back in."""
    where = desk_label(conversation, case)
    text = f"{person.name} left {where}, or turned the invitation down. !repair invites again."
    return Decision(case, (Tell(DESK, text),), "departure", "a reader left by itself")


def decide_undecrypted(case: Case, author: Person | None, conversation: Conversation, why: str) -> Decision:
    """Something can't be decrypted: its author and the desk learn it, and that it is read as soon as its key comes."""
    who, where = (author.name if author else "Someone"), desk_label(conversation, case)
    effects: list[Effect] = [
        Tell(
            DESK,
            f"I can't decrypt something that {who} wrote in {where} ({why}). It is kept, and read once its key comes.",
        )
    ]
    if author:
        text = phrase(
            "I can't decrypt what you wrote in {room} ({why}). Please send it again.",
            room=label(conversation, case),
            why=stored(why),
        )
        effects += [
            Explain(author.id, own, text, to_unsigned_devices=True)
            for own in alone_with_mediators(case, author.id, conversation)
        ]
    return Decision(case, tuple(effects), "undecrypted", "its key has not come")


# --- the arms of `decide` -----------------------------------------------------------------------------------------


def _in_clear(case: Case, message: Message, author: Person, content: Reaction | Removal, facts: Facts) -> Decision:
    """What is cleartext to the homeserver, and nobody's word (I4)."""
    if isinstance(content, Reaction):
        return decide_reacted(case, message, author, facts.reacted)
    if facts.reacted:
        return decide_reaction_removed(case, message, facts.reacted)
    return decide_removal(case, message, author, content.target, facts)


def _proven(case: Case, message: Message, author: Person, facts: Facts) -> Decision:
    """What its author certainly said, where parties read."""
    if isinstance(message.content, Unreadable):
        why = message.content.why
        return _aside(case, message, author, why, facts) or hold_unreadable(case, message, author, why)
    if isinstance(message.content, File) and not message.native:
        if _is_unsettled(message, author):
            return hold_back(case, message, HELD_UNSETTLED, rule="unsettled")
        unfit = not_to_fetch(case, message, facts)
        return hold_unreadable(case, message, author, unfit) if unfit else decide_brought(case, message, author)
    if isinstance(message.content, Text):
        answered = None if case.is_staff(author.id) else _answered(case, message, message.content.body, author, facts)
        if answered:
            return answered
        command = heard_in_private(message.content.body, staff=case.is_staff(author.id))
        if command and (message.conversation.kind is Kind.CAUCUS or isinstance(command, Undo)):
            return _commanded_in_private(case, command, author, facts, message)
    return _said(case, message, author, facts)


def _answered(case: Case, message: Message, body: str, author: Person, facts: Facts) -> Decision | None:
    """What follows from what looks like an answer; None from all else. With a code that no question of theirs has, and
    not written as one is asked for, it may be ordinary words, which are passed on: nothing that is said is lost."""
    given, manner = read_answer(body), manner_of(body)
    if given is None or manner is None or not _is_answer(case, message, given[0]):
        return None
    decision = decide_answer(case, Answer(*given, author.id, message.conversation, message.proof), facts)
    if _is_asked(case, message, given[0]) or (manner.as_asked and not manner.measure):
        return decision
    words = _said(case, message, author, facts)
    quiet = manner.measure and not manner.as_asked
    return words if quiet else replace(words, effects=(*words.effects, *decision.effects))


def _said(case: Case, message: Message, author: Person, facts: Facts) -> Decision:
    """Words for people."""
    kept = _kept_back(case, message, author, facts)
    if kept:
        return kept
    if case.is_staff(author.id) and isinstance(message.content, Text) and is_command(message.content.body):
        where = desk_label(message.conversation, case)
        answer = f"Commands are heard at this desk only. What you wrote in {where} was not passed on outside of Matrix."
        return Decision(case, (Tell(DESK, answer),), "command-elsewhere", "a command outside the desk is not words")
    return _relayed(case, message, author, facts)


def _at_the_desk(case: Case, message: Message, facts: Facts) -> Decision:
    if not isinstance(message.content, Text):
        return Decision(case, (), "desk-talk", "words among mediators")
    if not is_command(message.content.body):
        answer = answered_by_reply(case, message.content.body, facts)
        return _told(case, answer) if answer else Decision(case, (), "desk-talk", "words among mediators")
    if facts.before_restore:
        return _before_restore(case, one_line(message.content.body))
    command = parse(message.content.body)
    if isinstance(command, Misunderstood):
        return Decision(case, (Tell(DESK, str(command)),), "misunderstood", "not a command")
    return _told(case, perform(case, command, facts))


def _before_restore(case: Case, said: str) -> Decision:
    text = f"Not carried out, for it was said before I was restored from a backup: {said}\nSay it again if it holds."
    reason = "It was said before I was restored from a backup. Say it again if it holds."
    return Decision(case, (Tell(DESK, text),), "before-restore", reason, refused=True)


def _is_answer(case: Case, message: Message, code: str) -> bool:
    """In private, whatever looks like an answer; where others read, only what answers an open question."""
    return message.conversation.kind is Kind.CAUCUS or _is_asked(case, message, code)


def _is_asked(case: Case, message: Message, code: str) -> bool:
    """Whether a question is put to its author under that code."""
    return any(a.code == code and a.asked == message.author for a in case.asks)


def _commanded_in_private(
    case: Case, command: Command | Misunderstood, author: Person, facts: Facts, message: Message
) -> Decision:
    """A mediator is answered at the desk, so that no party reads it; a party where it spoke. Nothing is passed on."""
    if facts.before_restore:
        outcome: Outcome = Refused(
            phrase("That was said before I was restored from a backup"), phrase("Say it again if it holds")
        )
    elif isinstance(command, Misunderstood):
        outcome = Refused(command.problem, phrase("For example: {example}", example=command.example))
    else:
        outcome = perform(case, command, facts)
    if case.is_staff(author.id):
        told = _told(case, outcome)
        # What takes back leaves no trace beside what it took.
        own = (Redact(message.conversation, message.id),) if isinstance(command, Undo) else ()
        return replace(told, effects=(*own, *told.effects))
    if isinstance(outcome, Refused):
        answer = Inform(author.id, facts.where, outcome.told)
        notice = f"{author.name} gave a command in {desk_label(facts.where, case)}, and was told what would work."
        return Decision(case, (answer, Tell(DESK, notice)), "refused", str(outcome), refused=True)
    return _told(case, outcome)


def _told(case: Case, outcome: Done | Refused) -> Decision:
    if isinstance(outcome, Refused):
        return Decision(case, (Tell(DESK, str(outcome)),), "refused", str(outcome), refused=True)
    said = outcome.answer or "The desk shows it."
    return Decision(outcome.case, outcome.in_order, "command", said, begins=outcome.begins)


def _becomes_a_document(case: Case, message: Message) -> bool:
    """A file that is surely its author's. In the joint room it is taken away whoever has the word there; where a
    private room rests, it is held like words."""
    if not isinstance(message.content, File) or not message.native or isinstance(message.proof, Unproven):
        return False
    return message.conversation in {JOINT, DESK} or objection(case, message.author, message.conversation) is None


def _kept_back(case: Case, message: Message, author: Person, facts: Facts) -> Decision | None:
    """Proven and readable, and yet not for where it was said, or not now."""
    if _is_unsettled(message, author):
        return hold_back(case, message, HELD_UNSETTLED, rule="unsettled")
    unfit = objection_to(case, message, facts)
    if unfit:
        return _aside(case, message, author, unfit, facts) or hold_back(case, message, unfit, rule="unfit")
    if message.files and message.conversation.kind is not Kind.CAUCUS:
        return hold_back(case, message, ATTACHED, rule="bridged-files")
    why = objection(case, author.id, message.conversation)
    if why is None:
        return None
    decision = hold_back(case, message, why, rule="not-their-turn", meant_for=readers(case, message.conversation))
    # What was posted in Matrix was under way when that changed; a mail can be written at any time.
    room = label(message.conversation, case)
    text = phrase("What you wrote in {room} was not passed on: {why}.", room=room, why=why)
    private = alone_with_mediators(case, author.id, message.conversation)
    told = tuple(Inform(author.id, own, text) for own in private)
    return replace(decision, effects=(*decision.effects, *told))


def _is_unsettled(message: Message, author: Person) -> bool:
    """Whether it may have been meant for the room of the side on which its author sat by mistake."""
    settled = author.endpoint.settled
    return bool(settled and message.at < settled) and message.conversation.kind is Kind.CAUCUS


def _aside(case: Case, message: Message, author: Person, why: str, facts: Facts) -> Decision | None:
    """Into its author's own room, and its author is asked; None where it can only be held."""
    aside = put_aside(case, message, author, why, facts)
    if aside is None:
        return None
    kept = aside.kept
    post = Post(kept.conversation, author.id, kept.content, kept.id)
    effects = (*aside.effects, post, *attached(message.id, kept, facts), *_relays(case, kept, credited=author.id))
    return Decision(aside.case, effects, "put-aside", why)


def _confirmed(case: Case, kept: Message, author: Person, meant: Conversation) -> Decision:
    """What its author has confirmed, in the author's own room, which all its readers learn."""
    notice, told = notices(case, kept, author, meant)
    post = Post(kept.conversation, author.id, kept.content, kept.id)
    return Decision(case, (notice, post, *_relays(case, kept, credited=author.id), told), "kept-private", CONFIRMED)


def _relayed(case: Case, message: Message, author: Person, facts: Facts) -> Decision:
    effects: list[Effect] = []
    if not message.native:
        effects.append(Post(message.conversation, author.id, message.content, message.id, message.reply_to))
        effects += attached(message.id, message, facts)
    staff = case.is_staff(author.id)
    undoable = facts.at + facts.undo if staff and facts.undo else None
    effects += _relays(case, message, credited=author.id, not_before=undoable)
    if staff:
        effects += echo_warning(case, message, facts)
    elif case.sort is not Sort.MEDIATORS:  # Whom it would be told, reads the room.
        effects.append(Tell(DESK, f"{author.name} {_did(message)} in {desk_label(message.conversation, case)}."))
    after = spoken(case, author.id, message.at) if message.conversation == JOINT else case
    effects += what_follows(case, after)
    after, asked = offered(after, message, author, facts)
    effects += asked
    if staff and isinstance(message.content, Text | File):
        after = replace(after, posted=Posted(author.id, message.id, message.conversation, message.at))
    return Decision(after, tuple(effects), "said", f"{message.conversation.kind}: its readers, nobody else")


def _relays(
    case: Case, message: Message, *, credited: PersonId | None, not_before: datetime | None = None
) -> list[Effect]:
    return [
        Relay(message.id, message.conversation, credited, message.content, reader, message.reply_to, not_before)
        for reader in _bridged(case, message.conversation)
        if not case.same_voice(reader, message.author)
    ]


def _bridged(case: Case, conversation: Conversation) -> list[PersonId]:
    return [person.id for person in bridged_readers(case, conversation)]


def _did(message: Message) -> str:
    match message.content:
        case Text():
            return "wrote"
        case File():
            return "shared a file"
        case Edit():
            return "changed a message"
        case Reaction() | Removal() | Unreadable():
            return "did something"
        case _:
            assert_never(message.content)
