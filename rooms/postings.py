"""What goes into the room of a conversation: its words, and who must be there for it to be of use."""

from __future__ import annotations

from typing import assert_never

from catalogue import said
from policies.case import Case, CaseId, Network
from policies.documents.carrying import Hand
from policies.effects import Explain, Inform, Pose, Post, Publish, Tell
from policies.message import Content, MessageId, Text
from policies.people.membership import language_to
from policies.questions.asking import in_words
from policies.words.chat import chat_html
from policies.words.text import as_html, marked
from rooms.ids import EventId, UserId
from rooms.polls import Poll, PollEnd
from rooms.ports import Work

Polling = Poll | PollEnd
Worded = Post | Tell | Explain | Pose | Inform | Publish | Polling
IntoRoom = Worded | Hand


def words_of(effect: Worded, case: Case) -> Content | Polling:
    """Its words, or its file; a poll as it is."""
    match effect:
        case Poll() | PollEnd():
            return effect
        case Post(content=content):
            return content
        case Pose():
            language = language_to(case, effect.to, effect.conversation)
            return Text(said(in_words(effect, case.zone_of(effect.to)), language))
        case Publish(heading=heading, words=words):
            return Text("\n".join([str(heading), *marked(words)]))
        case Tell() | Explain() | Inform():
            return Text(str(effect.text))
        case _:
            assert_never(effect)


def html_of(effect: IntoRoom, case: Case) -> str | None:
    """Its words as HTML, where somebody's words stand among ours; what people themselves wrote goes as they formatted
    it."""
    if isinstance(effect, Post):
        author = case.person(effect.author)
        chats = author is not None and author.endpoint.network is Network.WHATSAPP
        return chat_html(effect.content.body) if chats and isinstance(effect.content, Text) else None
    content = None if isinstance(effect, Hand) else words_of(effect, case)
    return as_html(content.body) if isinstance(content, Text) else None


def expected_reader(effect: IntoRoom, case: Case) -> UserId | None:
    """Who must be in the room: what is for somebody alone is of no use to the others, and can't be read later."""
    match effect:
        case Pose(to) | Inform(to) | Poll(to):
            reader = case.person(to)
            return UserId(reader.endpoint.address) if reader else None
        case Post() | Tell() | Explain() | Publish() | Hand() | PollEnd():
            return unsigned_reader(effect, case)
        case _:
            assert_never(effect)


def unsigned_reader(effect: IntoRoom, case: Case) -> UserId | None:
    """The member whose unsigned devices may read this, too: only ever for an explanation, which is without content."""
    if not isinstance(effect, Explain) or not effect.to_unsigned_devices:
        return None
    reader = case.person(effect.person)
    return UserId(reader.endpoint.address) if reader else None


async def event_of(work: Work, case: CaseId, message: MessageId | None) -> EventId | None:
    """As which event a message stands in Matrix."""
    entry = await work.journal.get(case, message) if message else None
    return entry.event if entry else None
