"""Handle one inbox item that was read: decide, and write down what follows, in one unit of work.

The worker finishes the inbox item in the same unit of work, so an item is handled once or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from policies import alarms, due, routing
from policies.case import DESK, JOINT, Case, CaseId, Conversation, Network, Person, PersonId
from policies.commands.dry import DryRun
from policies.commands.form import Misunderstood
from policies.commands.hold import DiscardHeld, KeepHeld, PostHeld, ReturnHeld
from policies.commands.opening import NewCase
from policies.commands.taking_on import OpenFor
from policies.commands.vocabulary import Command, is_command, parse
from policies.documents.cards import people
from policies.documents.document import Document
from policies.documents.filing import Filing, decide_filed
from policies.documents.redaction import Redaction, decide_redacted
from policies.documents.rights import Wish
from policies.effects import Decision, Reconcile, Tell
from policies.frozen import frozen
from policies.message import (
    AuthenticatedMail,
    Edit,
    File,
    Message,
    MessageId,
    PinnedLink,
    Text,
    Unproven,
)
from policies.moderation.guard import grams
from policies.networks import portal
from policies.networks.counting import counting, decide_counting
from policies.networks.mailbox import believed, waits_for
from policies.outcome import Facts, quoted_from
from policies.outside import decide_outside, decide_successor
from policies.people import lobby
from policies.people.codes import decide_entered
from policies.people.identity import Identity
from policies.people.joining import came
from policies.people.membership import conversations
from policies.people.succession import came_to_the_desk, left_the_desk
from policies.plan import RoomKey, room_key
from policies.questions.answers import decide_answer
from policies.questions.asking import Answer as Answering
from policies.questions.asking import code_from
from policies.questions.poll import Vote, decide_vote
from policies.releases.confirmed import kept_private
from policies.schedule import Due, due_key
from rooms import triage
from rooms.apply import Applier
from rooms.engaged import engaged
from rooms.held import at_hand, claimable, gone, mine_id, stands_elsewhere, taken_away
from rooms.house import House
from rooms.ids import EventId, UserId
from rooms.outgoing import Codec
from rooms.ports import Entry, Work
from rooms.provision import room_wait_key
from rooms.queue import ItemId
from rooms.reactions import reacted_to
from rooms.recalling import about_removal

NEXT_STEPS = (
    "This is the desk of case {case}: only mediators and I read it. What to do next:\n"
    "!party add Alice @alice:{server} – a party with an account here\n"
    "!party add Carl carl@example.org – a party by mail\n"
    "!open – begin the joint session; in the joint room you write alone, until you say !mode open\n"
    "!status shows where things stand, !help everything else."
)

BEFORE_RESTORE = (
    "Not carried out, for it was said before I was restored from a backup: the case may be open already. If it is not,"
    " say it again."
)


@frozen
class Answer:
    """What became of a command that came through the API or the CLI. `case` is the case it made or was about."""

    ok: bool
    text: str
    case: CaseId | None


class Handler:
    """Handles items of one unit of work."""

    def __init__(self, work: Work, codec: Codec, house: House, item: ItemId, at: datetime) -> None:
        """`item` is the inbox item at hand, `at` the time of its handling."""
        self._work, self._codec, self._house, self._item, self._at = work, codec, house, item, at
        self._applier = Applier(work, codec, item, at)

    async def came(self, case: Case, person: PersonId | None) -> Case:
        """The case in which they are known to be in: a proven act of their own shows it."""
        decision = came(case, person, self._at) if person else None
        if decision is None:
            return case
        await self._applier.apply(case, decision)
        return decision.case

    async def message(self, case_id: CaseId, message: Message, event: EventId | None, mail_id: str | None) -> Decision:
        """Somebody said something in a conversation of a case."""
        case = await self._case(case_id)
        message = believed(case, message)
        if not isinstance(message.proof, Unproven):
            case = await self.came(case, message.author)
        # Only what is said at a desk can be a command.
        at_desk = message.conversation == DESK
        facts = self._facts(message.author, await self._identities(case) if at_desk else {})
        commands = isinstance(message.content, Text) and is_command(message.content.body)
        if at_desk or commands:
            facts = replace(facts, before_restore=await self._work.epochs.doubtful(message.at))
            facts = await self._entry(case_id, replace(facts, where=message.conversation))
        quotes = commands or case.triage is not None
        facts = await self._at_hand(case, message, replace(facts, where=message.conversation), quotes=quotes)
        if at_desk and isinstance(message.content, Text):
            facts = await self._about(case, parse(message.content.body), facts)
        facts = await about_removal(self._work, self._codec, case, message, facts)
        facts = replace(facts, reacted=await reacted_to(self._work, case, message))
        decision = routing.decide(case, message, facts)
        entries = (*stands_elsewhere(case_id, message, decision), *taken_away(case_id, message, decision))
        for entry in (Entry(case_id, message, event, mail_id), *entries):
            await self._work.journal.append(entry)
        if _is_remembered(message) and not commands:
            await self._work.echoes.note(case_id, message.conversation.id, grams(_words_of(message)))
        await self._applier.apply(case, decision, message)
        return decision

    async def _at_hand(self, case: Case, message: Message, facts: Facts, *, quotes: bool) -> Facts:
        """The facts, with what a command replies to, and where else was said what is at hand (`moderation.guard`)."""
        entry = await self._work.journal.newest(case.id, message.reply_to) if quotes and message.reply_to else None
        body = _words_of(message)
        said = {
            **grams(body),
            **{gram: "" for release in case.releases if release.is_open for gram in grams(release.words)},
        }
        # Which message a command replies to, its homeserver could change: not to one of another room.
        if entry and message.reply_to and entry.message.conversation == message.conversation:
            quoted = quoted_from(message.reply_to, entry.message)
            facts = replace(facts, quoted=quoted)
            said |= grams(quoted.words or "")
        at_work = case.is_staff(message.author) and message.conversation in conversations(case)
        by_mail = isinstance(message.proof, AuthenticatedMail) and message.conversation == JOINT
        elsewhere = await self._work.echoes.where(case.id, said) if at_work or by_mail else {}
        if isinstance(message.content, Edit) and message.content.target and message.conversation == JOINT:
            target = await self._work.journal.get(case.id, message.content.target)
            facts = replace(facts, edited_at=target.message.at if target else None)
        return replace(facts, elsewhere=elsewhere)

    async def answer(self, case_id: CaseId, answer: Answering | Vote, received_at: datetime) -> Decision:
        """Somebody answered a question that binds, not in words in a conversation but by a link or in a poll, say."""
        case = await self._case(case_id)
        if not isinstance(answer.proof, Unproven):
            case = await self.came(case, answer.by)
        doubtful = await self._work.epochs.doubtful(received_at)
        others = await engaged(self._work, case)
        facts = replace(self._facts(answer.by, {}), before_restore=doubtful, engaged=others)
        decision = decide_vote(case, answer, facts) if isinstance(answer, Vote) else decide_answer(case, answer, facts)
        await self._applier.apply(case, decision, by=answer.by)
        return decision

    async def drift(self, case_id: CaseId) -> None:
        """Something about a case's rooms changed in Matrix that we did not do: look, and repair."""
        case = await self._case(case_id)
        await self._applier.apply(case, Decision(case, (Reconcile(),), "drift", "a room of the case changed"))

    async def started(self, case_id: CaseId) -> None:
        """The service has started: the desk learns what its configuration says anew, and the rooms are looked at."""
        case = await self._case(case_id)
        decision = decide_successor(case, self._house.successor)
        if decision.case != case:
            await self._applier.apply(case, decision)
        await self.drift(case_id)

    async def tampered(self, case_id: CaseId, where: Conversation | RoomKey, by: UserId, what: str) -> None:
        """Somebody other than us changed a setting of one of a case's rooms; by its key: one that serves no
        conversation."""
        case = await self._case(case_id)
        person = case.at_address(Network.MATRIX, by)
        name = person.name if person else by
        await self._applier.apply(case, alarms.decide_tampering(case, where, name, what))

    async def arrived(self, case: Case, person: Person, conversation: Conversation) -> None:
        """A reader of a conversation came into its room: what waited for somebody to read it goes out."""
        await self._work.outbox.wake(room_wait_key(case.id, room_key(conversation)))
        case = await self.came(case, person.id)
        there = came_to_the_desk(case, person.id) if conversation == DESK else case
        await self._applier.apply(case, routing.decide_arrival(there, person, conversation))

    async def departed(self, case: Case, person: Person, conversation: Conversation) -> None:
        """A reader of a conversation left its room."""
        decision = routing.decide_departure(case, person, conversation)
        if conversation == DESK:
            decision = left_the_desk(decision, person, self._at)
        await self._applier.apply(case, decision)

    async def due(self, case_id: CaseId, key: str) -> None:
        """What was scheduled under that key is due; the time of handling is not before it."""
        case = await self._case(case_id)
        asked = next((a.at for a in case.asks if due_key(Due.ASK, a.code) == key), self._at)
        facts = replace(self._facts(None, {}), before_restore=await self._work.epochs.doubtful(asked))
        await self._applier.apply(case, due.decide_due(case, key, facts))

    async def filed(self, case_id: CaseId, filing: Filing) -> None:
        """A file that somebody sent was examined, or could not be yet."""
        case = await self._case(case_id)
        if filing.voice and await self._work.journal.get(case_id, gone(filing.voice.message)):
            filing = replace(filing, removed=True)
        await self._applier.apply(case, decide_filed(case, filing, self._facts(filing.author, {})))

    async def redacted(self, case_id: CaseId, made: Redaction) -> None:
        """A redacted version was made, or could not be."""
        case = await self._case(case_id)
        await self._applier.apply(case, decide_redacted(case, made, self._facts(made.wished.by, {})))

    async def served(self, case: Case, after: Document, wish: Wish, how: str) -> None:
        """Somebody is about to be shown what they wished for, on a page say: on record before it leaves. `after` is the
        document with that written down, `how` says which way it goes. What is written down already stays as it is."""
        version = after.version(wish.version)
        if version is None or after == case.document(after.id):
            return
        to = people(case, frozenset({wish.person}))
        reason = f"{after.id}.{version.number}, SHA-256 {version.served.sha256}, to {to}: {how}"
        await self._applier.apply(case, Decision(case.with_document(after), (), "document-served", reason))

    async def enrolled(self, case: Case, person: Person, *, words: bool) -> None:
        """Somebody confirmed their address on the page, and maybe agreed to have words mailed."""
        case = await self.came(case, person.id)
        person = case.person(person.id) or person
        await self._applier.apply(case, portal.decide_enrolled(case, person, self._at, words=words))

    async def entered(self, case: Case, person: Person, link: str) -> None:
        """Whoever the homeserver says is that person was given a link to their page."""
        await self._applier.apply(case, decide_entered(case, person, link))

    async def mine(self, case: Case, person: Person, held: MessageId) -> None:
        """Somebody says, with proof, that an unproven mail in their name was theirs."""
        unclaimed = await claimable(self._work, case.id, person.id, held)
        if unclaimed is None:
            return
        message = replace(unclaimed, id=mine_id(held), proof=PinnedLink())
        kept = kept_private(case, message)
        # In the journal it is where it stands, so that whatever repeats it later repeats it there.
        await self._work.journal.append(Entry(case.id, kept or message))
        await self._applier.apply(case, routing.decide_confirmed(case, message, kept, held))

    async def counts(self, case: Case, person: Person, held: MessageId) -> None:
        """Somebody has confirmed the mailbox from which a held mail came that lacked nothing else."""
        unclaimed = await claimable(self._work, case.id, person.id, held)
        if unclaimed and person.endpoint.is_confirmed and waits_for(unclaimed, person.endpoint.mailbox):
            message = counting(unclaimed, mine_id(held))
            await self._applier.apply(case, decide_counting(case, message, held))
            await self.message(case.id, message, None, None)

    async def remade(self, case_id: CaseId, conversation: Conversation) -> None:
        """The room of a conversation was made anew: its readers are told."""
        case = await self._case(case_id)
        await self._applier.apply(case, alarms.decide_remade(case, conversation))

    async def follow(self, case: Case, decision: Decision) -> Case:
        """Something happened about which its own policy has decided: a report, a device that was seen, a wish."""
        await self._applier.apply(case, decision)
        return decision.case

    async def tell_desk(self, case_id: CaseId, text: str, *, rule: str = "report") -> None:
        """Something went wrong, or was repaired, that the mediators must know."""
        case = await self._case(case_id)
        await self._applier.apply(case, Decision(case, (Tell(DESK, text),), rule, "the service reports"))

    async def outside(self, case_id: CaseId, line: str) -> None:
        """An administrator gave that through the API or the CLI: the desk is told before it is obeyed."""
        case = await self._work.cases.load(case_id, lock=True)
        if case is not None:
            await self._applier.apply(case, decide_outside(case, line))

    async def command(self, case_id: CaseId | None, command: Command, received_at: datetime) -> Answer:
        """A command in the name of the organisation: through the API or the CLI, or to open a case."""
        before_restore = await self._work.epochs.doubtful(received_at)
        if case_id is None and before_restore:
            return Answer(False, BEFORE_RESTORE, None)
        if case_id is None:
            return await self._open(command) if isinstance(command, NewCase) else Answer(False, lobby.DESK_ONLY, None)
        case = await self._work.cases.load(case_id, lock=True)
        if case is None:
            return Answer(False, f"There is no case {case_id}.", None)
        facts = replace(self._facts(None, await self._identities(case)), before_restore=before_restore)
        facts = await self._entry(case_id, facts)
        decision = routing.decide_command(case, command, await self._about(case, command, facts))
        await self._applier.apply(case, decision)
        return Answer(not decision.refused, self._applier.shown or decision.reason, case_id)

    async def _open(self, command: NewCase) -> Answer:
        case = Case(await self._work.cases.new_number(), command.title)
        facts = replace(self._facts(None, {}), engaged=await engaged(self._work, case, command))
        decision = routing.decide_command(case, command, facts)
        if decision.refused:
            return Answer(False, decision.reason, None)
        steps = Tell(DESK, NEXT_STEPS.format(case=case.id, server=self._house.server_name))
        await self._applier.apply(
            None, Decision(decision.case, (*decision.effects, steps), decision.rule, decision.reason)
        )
        return Answer(True, f"Case {case.id} is open. Its desk is “Desk · {case.id}”, where you are invited.", case.id)

    async def _case(self, case_id: CaseId) -> Case:
        case = await self._work.cases.load(case_id, lock=True)
        if case is None:
            raise LookupError("an item names a case that isn't there")
        return case

    async def _entry(self, case_id: CaseId, facts: Facts) -> Facts:
        """The facts, with the number under which an act is put on record."""
        head = await self._work.record.head(case_id, facts.where.id)
        return replace(facts, entry=head.seq + 1 if head else 1)

    async def _about(self, case: Case, command: Command | Misunderstood, facts: Facts) -> Facts:
        """The facts, with what a command names that isn't in the case."""
        if isinstance(command, DryRun):
            command = parse(command.line)
        held = None
        if isinstance(command, PostHeld | ReturnHeld | DiscardHeld | KeepHeld):
            held = await at_hand(self._work, case.id, command.item)
        if isinstance(command, OpenFor):
            facts = await triage.about(self._work, case, command, facts)
        return replace(facts, engaged=await engaged(self._work, case, command), held=held)

    async def _identities(self, case: Case) -> Mapping[PersonId, Identity]:
        users = {UserId(p.endpoint.address): p.id for p in case.people if p.endpoint.network is Network.MATRIX}
        return {users[user]: identity for user, identity in (await self._work.identities.known(users)).items()}

    def _facts(self, by: PersonId | None, identities: Mapping[PersonId, Identity]) -> Facts:
        return self._house.facts(self._at, by, code_from(self._item), identities)


def _is_remembered(message: Message) -> bool:
    """Whether its words will stand where it was said without being posted there by us (`rooms.apply` remembers those);
    what stood beside a file in the joint room goes out with it."""
    if isinstance(message.content, File):
        return message.conversation not in {JOINT, DESK}
    return message.native and message.conversation != DESK


def _words_of(message: Message) -> str:
    match message.content:
        case Text(words) | Edit(body=words) | File(words=words):
            return words
        case _:
            return ""
