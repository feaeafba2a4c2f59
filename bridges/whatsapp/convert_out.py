"""From what we have to say to the messages that the Cloud API takes (Graph v26.0, messages).

Each begins with whom it is read by (`LABELS`), and every line of a person's words stands behind a mark (`words`).
"""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, Final, assert_never

from bridges.whatsapp.words import LIMIT, formatted, in_parts, quoted, units
from catalogue import said
from policies.case import Kind, Network
from policies.documents.recordings import is_voice
from policies.frozen import frozen
from policies.names import MEDIATORS
from policies.networks.capabilities import CAPABILITIES
from policies.people.telephone import user_id
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase
from policies.words.text import one_line

Json = dict[str, Any]
BUTTON_BODY: Final = 1_024
CAPTION: Final = CAPABILITIES[Network.WHATSAPP].caption
TITLE: Final = 20
_SEE_ABOVE: Final = phrase("The words, and what a yes does, stand in the messages above.")
_NO_WORDS: Final = phrase("(no words)")
LABELS: Final[Mapping[Kind, Phrase]] = MappingProxyType(
    {
        Kind.CAUCUS: phrase("🔒 PRIVATE – only your side and the mediator read this"),
        Kind.JOINT: phrase("👥 JOINT – everyone in the mediation reads this"),
    }
)
AMONG_MEDIATORS: Final = "🔒 MEDIATORS – only the organisation's mediators read this"


@frozen
class Post:
    """What someone said; `did` is how: wrote, or changed an earlier message to."""

    author: str
    did: str
    text: str = field(repr=False)


@frozen
class Released:
    """Somebody's words, passed on by the mediator; `heading` is ours, and says whose they are."""

    heading: str
    text: str = field(repr=False)


@frozen
class Notice:
    """The service's own words."""

    text: str = field(repr=False)


@frozen
class Button:
    """What can be pressed. `id` comes back with it."""

    id: str = field(repr=False)
    title: str


@frozen
class Question:
    """A question with buttons: `title` and `then` are ours, `words` are what it is about."""

    title: str
    words: str = field(repr=False)
    then: str
    buttons: tuple[Button, ...]


Content = Post | Released | Notice | Question


@frozen
class Addressee:
    """Whom a message is for: a number or a business-scoped id; `key` is the identity that it is meant for."""

    name: str = field(repr=False)
    user: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


def render(audience: Kind, case: str, content: Content, language: Language = Language.ENGLISH) -> tuple[Json, ...]:
    """The messages that say it, in order, without whom they are for."""
    label = _label(audience, case, language)
    match content:
        case Post(author, did, text):
            heading = phrase("*{author}* {did}:", author=one_line(author, 60), did=did)
            return _words(label, said(heading, language), formatted(text), language)
        case Released(heading, text):
            return _words(label, one_line(heading, 150), text, language)
        case Notice(text):
            return tuple(
                _text(f"{label}\n{part}")
                for part in in_parts(said(text, language).split("\n"), LIMIT - units(label) - 1)
            )
        case Question():
            return _question(label, content, language)
        case _:
            assert_never(content)


@frozen
class Uploaded:
    """A file that WhatsApp has under that id, and how it is shown there."""

    id: str = field(repr=False)
    mimetype: str
    name: str


def medium(audience: Kind, case: str, file: Uploaded, text: Phrase, language: Language = Language.ENGLISH) -> Json:
    """A file, and below it who reads it, and words of ours: pictures and films as such, everything else as a document.
    Below a voice message nothing can stand: who reads it is said before it."""
    caption = f"{_label(audience, case, language)}\n{said(text, language)}".rstrip()[:CAPTION]
    inner = {"id": file.id, "caption": caption}
    if is_voice(file.mimetype):
        return {"type": "audio", "audio": {"id": file.id, "voice": True}}
    if file.mimetype.startswith("image/"):
        return {"type": "image", "image": inner}
    if file.mimetype == "video/mp4":
        return {"type": "video", "video": inner}
    return {"type": "document", "document": {**inner, "filename": file.name}}


def reaction(wamid: str, emoji: str) -> Json:
    """An emoji on a message that somebody wrote to us; an empty one takes the last away (Cloud API, reaction
    messages). It has no words, so nothing says who reads it: it stands on their own message."""
    return {"type": "reaction", "reaction": {"message_id": wamid, "emoji": emoji}}


def template(name: str, language: str) -> Json:
    """A message that may begin a conversation: its words are approved by Meta, and say nothing of the case."""
    return {"type": "template", "template": {"name": name, "language": {"code": language}}}


def code_template(name: str, language: str, code: str) -> Json:
    """An authentication template: Meta's own words around a code, which stands on a button as well (Cloud API,
    authentication templates)."""
    given = [{"type": "text", "text": code}]
    button = {"type": "button", "sub_type": "url", "index": "0", "parameters": given}
    shown = template(name, language)
    shown["template"]["components"] = [{"type": "body", "parameters": given}, button]
    return shown


def plain(text: str) -> Json:
    """A text to somebody who takes part in no case: it belongs to no room, and so is headed by none. At most `LIMIT`
    units."""
    return _text(text)


def addressed(message: Json, to: Addressee, ours: str, answers: str | None = None) -> Json:
    """The message as it is sent. `ours` comes back with every status; `answers` is the id of the one that it quotes.

    A business-scoped id in `to` would be taken and lost, so it goes into `recipient`.
    """
    user = to.user or user_id(to.name)
    whom = {"recipient": user} if user else {"to": to.name.removeprefix("+")}
    key = {"recipient_identity_key_hash": to.key} if to.key else {}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **whom,
        **key,
        **({"context": {"message_id": answers}} if answers else {}),
        "biz_opaque_callback_data": ours,
        **message,
    }


def _label(audience: Kind, case: str, language: Language) -> str:
    if case == MEDIATORS:
        return AMONG_MEDIATORS
    return f"{said(LABELS[audience], language)} · {one_line(case, 20)}"


def _words(label: str, heading: str, text: str, language: Language) -> tuple[Json, ...]:
    parts = in_parts(quoted(text) or [said(_NO_WORDS, language)], LIMIT - units(label) - 200)
    return tuple(_text(f"{label}\n{heading}\n{part}") for part in parts)


def _question(label: str, asked: Question, language: Language) -> tuple[Json, ...]:
    """In one message if its buttons take so much. Else the words come first, in texts of their own, and what follows
    from a yes stands with the buttons, or right before them."""
    title, then = asked.title.split("\n"), said(asked.then, language).split("\n")
    marked = quoted(asked.words)
    whole = "\n".join([label, *title, *marked, *then])
    if units(whole) <= BUTTON_BODY:
        return (_buttons(whole, asked.buttons, language),)
    last, before = "\n".join([label, *title, *then]), [*title, *marked]
    if units(last) > BUTTON_BODY:
        last, before = "\n".join([label, one_line(asked.title, 300), said(_SEE_ABOVE, language)]), [*before, *then]
    shown = in_parts(before, LIMIT - units(label) - 1)
    return (*(_text(f"{label}\n{part}") for part in shown), _buttons(last, asked.buttons, language))


def _text(body: str) -> Json:
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def _buttons(body: str, buttons: tuple[Button, ...], language: Language) -> Json:
    replies = [
        {"type": "reply", "reply": {"id": button.id, "title": said(button.title, language)[:TITLE]}}
        for button in buttons
    ]
    return {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": body}, "action": {"buttons": replies}},
    }
