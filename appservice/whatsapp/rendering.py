"""A letter in the terms of WhatsApp: what somebody said, what we say, or a question with buttons."""

from __future__ import annotations

from typing import Final, assert_never

from appservice.whatsapp.enclosing import Recording, recorded
from bridges.whatsapp.convert_out import Button, Content, Notice, Post, Question, Released
from catalogue import said
from policies import message
from policies.case import Case, Conversation, Kind, Person, Sort
from policies.documents.carrying import Enclose
from policies.effects import AskWhose, Inform, Pose, Publish
from policies.frozen import frozen
from policies.message import File, Text, Unreadable
from policies.questions.asking import answer_id
from policies.words.phrase import Phrase, phrase, together, when
from rooms.homeserver import Trouble
from rooms.letters import Letter

SOMEBODY: Final = phrase("Somebody")
REMOVED: Final = phrase("An earlier message was removed from the room. What you got by WhatsApp can't be taken back.")


@frozen
class Voice:
    """Who we are, and whether everything comes from one number."""

    organisation: str
    telephone: str
    one_number: bool


def content(letter: Letter, person: Person, voice: Voice, url: str | None = None) -> Content:
    """What a letter says; `url` leads to its reader's page. Raises Trouble for what is not sent at all."""
    author = letter.author or said(SOMEBODY, letter.case.language_of(person.id))
    match letter.content:
        case None:
            return Notice(_introduction(letter, person, voice))
        case Pose():
            return _question(letter.case, letter.content)
        case Inform(text=text):
            return Notice(together([text, _page(url)], by="\n") if url else text)
        case Text(body):
            return Post(author, phrase("wrote"), body)
        case message.Edit(body=body):
            return Post(author, phrase("changed an earlier message; it now says"), body)
        case Publish(heading=heading, words=words):
            return Released(heading, words)
        case File(words=words):
            return _file(author, words, recorded(letter.content))
        case message.Removal():
            return Notice(REMOVED)
        case message.Reaction() | Unreadable() | AskWhose() | Enclose():
            raise Trouble("this does not travel by WhatsApp", transient=False)
        case _:
            assert_never(letter.content)


def _page(url: str) -> Phrase:
    return phrase(
        "Your page: {url}\nIt opens once, and with your PIN alone, which your mediator tells you by telephone. Used or"
        " too old, it has another one sent here, with the PIN.",
        url=url,
    )


def leads_to_page(letter: Letter) -> bool:
    """Whether it is about what is on the page alone."""
    return isinstance(letter.content, Inform) and letter.content.page


def _file(author: str, words: str, follows: Recording | None) -> Content:
    if follows and follows.is_film:
        told = phrase("{author} sent the film that follows.", author=author)
        return Post(author, phrase("sent the film that follows, and wrote"), words) if words else Notice(told)
    if follows:
        told = phrase("{author} sent the voice message that follows.", author=author)
        return Post(author, phrase("sent the voice message that follows, and wrote"), words) if words else Notice(told)
    if words:
        return Post(author, phrase("shared a file, which does not travel by WhatsApp, and wrote"), words)
    return Notice(
        phrase("{author} shared a file, which does not travel by WhatsApp. Ask the mediator for it.", author=author)
    )


def _question(case: Case, pose: Pose) -> Content:
    ask = next((a for a in case.asks if a.code == pose.code and a.asked == pose.to), None)
    if ask is None:
        raise Trouble("the question is closed", transient=False)
    buttons = (
        Button(answer_id(ask.code, ask.binds, yes=True), pose.labels.yes),
        Button(answer_id(ask.code, ask.binds, yes=False), pose.labels.no),
    )
    until = when(pose.expires, case.zone_of(pose.to))
    who = phrase("Only you can answer, here, by {time}.", time=until)
    if pose.labels.in_a_moment:
        who = phrase("Only you can answer, here.")
    then = together([pose.then, together([who, pose.labels.silence])], by="\n")
    return Question(pose.title, pose.words, then, buttons)


def _introduction(letter: Letter, person: Person, voice: Voice) -> Phrase:
    readers = ", ".join(letter.readers) or phrase("nobody yet")
    if letter.case.sort is Sort.MEDIATORS:
        return _among_mediators(person, readers, voice)
    lines = [
        phrase(
            "Hello {name}. {organisation} mediates, and you take part by WhatsApp. To check that this is us, telephone"
            " {telephone}.",
            name=person.name,
            organisation=voice.organisation,
            telephone=voice.telephone,
        ),
        phrase(
            "Who reads what you write here, besides you: {readers}",
            readers=_where(letter.conversation, readers, voice),
        ),
        phrase("Every message from us says first who reads it: 🔒 PRIVATE or 👥 JOINT."),
        phrase(
            "WhatsApp's owner, Meta, can read what passes its servers, and messages can be forwarded. Delete this chat"
            " if others use your telephone."
        ),
        phrase(
            "Pictures, voice messages and files are never shown to everyone. Write STOP and nothing more is sent to"
            " you; HELP explains this again."
        ),
    ]
    return together(lines, by="\n")


def _among_mediators(person: Person, readers: str, voice: Voice) -> Phrase:
    """In English, like everything that mediators are told."""
    lines = [
        f"Hello {person.name}. You are in the mediators' room of {voice.organisation} by WhatsApp.",
        phrase("Who reads what you write here, besides you: {readers}", readers=readers),
        "Nothing of any case comes here by itself, and what you write here goes to no case: name nobody who takes part"
        " in one.",
        "WhatsApp's owner, Meta, can read what passes its servers, and messages can be forwarded. Delete this chat if"
        " others use your telephone.",
        "Write STOP and nothing more is sent to you; START, and it goes on.",
    ]
    return together(lines, by="\n")


def _where(conversation: Conversation, readers: str, voice: Voice) -> Phrase:
    if conversation.kind is Kind.CAUCUS:
        return phrase("{readers}. It is private: the other side reads none of it.", readers=readers)
    if voice.one_number:
        return phrase(
            "what comes marked 👥 JOINT is read by {readers}, too. What you write yourself is private at first, even as"
            " an answer to a joint message. Where you may speak to all, you are then asked who should read it, with"
            " buttons; elsewhere write !submit: and the words, and the mediator decides.",
            readers=readers,
        )
    return phrase(
        "{readers}, which is everyone in the mediation. What is private, write to our private number only.",
        readers=readers,
    )
