"""A letter in the terms of WhatsApp: what somebody said, what we say, or a question with buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from bridges.whatsapp.convert_out import Button, Content, Notice, Post, Question, Released
from policies import message as said
from policies.asking import answer_id
from policies.case import Case, Conversation, Kind, Person
from policies.effects import AskWhose, Inform, Pose, Publish
from policies.message import File, Text, Unreadable
from policies.text import moment
from rooms.homeserver import Trouble
from rooms.letters import Letter


@dataclass(frozen=True, slots=True)
class Voice:
    """Who we are, and whether everything comes from one number."""

    organisation: str
    telephone: str
    one_number: bool


def content(letter: Letter, person: Person, voice: Voice) -> Content:
    """What a letter says. Raises Trouble for what is not sent at all."""
    author = letter.author or "Somebody"
    match letter.content:
        case None:
            return Notice(_introduction(letter, person, voice))
        case Pose():
            return _question(letter.case, letter.content)
        case Inform(text=text):
            return Notice(text)
        case Text(body):
            return Post(author, "wrote", body)
        case said.Edit(body=body):
            return Post(author, "changed an earlier message; it now says", body)
        case Publish(heading=heading, words=words):
            return Released(heading, words)
        case File(words=words):
            return _file(author, words)
        case said.Removal():
            return Notice("An earlier message was removed from the room. What you got by WhatsApp can't be taken back.")
        case said.Reaction() | Unreadable() | AskWhose():
            raise Trouble("this does not travel by WhatsApp", transient=False)
        case _:
            assert_never(letter.content)


def _file(author: str, words: str) -> Content:
    if words:
        return Post(author, "shared a file, which does not travel by WhatsApp, and wrote", words)
    return Notice(f"{author} shared a file, which does not travel by WhatsApp. Ask the mediator for it.")


def _question(case: Case, pose: Pose) -> Content:
    ask = next((a for a in case.asks if a.code == pose.code and a.asked == pose.to), None)
    if ask is None:
        raise Trouble("the question is closed", transient=False)
    buttons = (
        Button(answer_id(ask.code, ask.binds, yes=True), pose.labels.yes),
        Button(answer_id(ask.code, ask.binds, yes=False), pose.labels.no),
    )
    until = "" if pose.labels.in_a_moment else f", by {moment(pose.expires, case.zone_of(pose.to))}"
    then = f"{pose.then}\nOnly you can answer, here{until}. {pose.labels.silence}"
    return Question(pose.title, pose.words, then, buttons)


def _introduction(letter: Letter, person: Person, voice: Voice) -> str:
    readers = ", ".join(letter.readers) or "nobody yet"
    lines = [
        f"Hello {person.name}. {voice.organisation} mediates, and you take part by WhatsApp. To check that this is us,"
        f" telephone {voice.telephone}.",
        f"Who reads what you write here, besides you: {_where(letter.conversation, readers, voice)}",
        "Every message from us says first who reads it: 🔒 PRIVATE or 👥 JOINT.",
        "WhatsApp's owner, Meta, can read what passes its servers, and messages can be forwarded. Delete this chat if"
        " others use your telephone.",
        "Pictures, voice messages and files are not passed on. Write STOP and nothing more is sent to you; HELP"
        " explains this again.",
    ]
    return "\n".join(lines)


def _where(conversation: Conversation, readers: str, voice: Voice) -> str:
    if conversation.kind is Kind.CAUCUS:
        return f"{readers}. It is private: the other side reads none of it."
    if voice.one_number:
        return (
            f"what comes marked 👥 JOINT is read by {readers}, too. What you write yourself is private at first, even"
            " as an answer to a joint message. Where you may speak to all, you are then asked who should read it, with"
            " buttons; elsewhere write !submit: and the words, and the mediator decides."
        )
    return f"{readers}, which is everyone in the mediation. What is private, write to our private number only."
