"""A file that somebody sent becomes a document: taken to the vault, examined there, and a card in its place (D3).

a file of a mail, or of WhatsApp ─▶ Ingest ─▶ the same, but it stands in a room only if it is refused and does no harm
a file in a private room ─▶ Ingest ─▶ examined ─▶ kept: a card; the event is redacted, its media deleted
                                               ├▶ refused: it stays, and why it is no document; what does harm goes
                                               └▶ not examined yet: it stays, and is tried again
a file in the joint room ─▶ the same, but redacted at once, and who may have seen it stands on the card; what is refused
                            is held

What was written beside it is no part of it: in a private room it is told with what became of the file, to those who
read that room; out of the joint room it is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

from policies.case import DESK, JOINT, Case, Conversation, Kind, Person, PersonId
from policies.documents import versions
from policies.documents.beside import beside_for
from policies.documents.cards import card, people
from policies.documents.carrying import Erase
from policies.documents.document import Document, DocumentId, Kept, Label, Version
from policies.documents.enclosing import may_be_named_to
from policies.documents.files import Kind as FileKind
from policies.documents.files import file_name
from policies.documents.quarantine import Locked, locked
from policies.documents.recordings import relayed
from policies.documents.rights import all_may_view
from policies.effects import Announce, Decision, Effect, Explain, Hold, Inform, Ingest, Post, Redact, Tell
from policies.frozen import frozen
from policies.message import File, Message, MessageId
from policies.moderation.floor import objection
from policies.outcome import Facts
from policies.people.membership import bridged_readers, caucuses_of, readers
from policies.people.ways import carries
from policies.plan import desk_label, label
from policies.words.phrase import Phrase, phrase, together
from policies.words.text import marked

BESIDE_A_FILE: Final = phrase("it was written beside a file, which was taken out of the room")
NO_DOCUMENT: Final = phrase("it is a file, which was taken out of the room, and can’t be kept as a document")


_NOT_YET: Final = phrase("is not kept yet.")
_NOT_KEPT: Final = phrase("is not kept.")
_NO_DOCUMENT: Final = phrase("is not kept as a document.")


@frozen
class Passed:
    """It was examined, and lies in the vault."""

    kind: FileKind
    mimetype: str
    served: Kept
    original: Kept
    pages: int | None
    changes: tuple[Phrase, ...]


@frozen
class Refused:
    """It is not taken; `why` is a sentence for whoever sent it. `harmful`: it is to stand nowhere, either.

    `keepable`: a mediator may have it kept as it is, all the same; then `kept` is where it lies locked in the vault.
    `limit`: which limit it would exceed.
    """

    why: Phrase
    harmful: bool = False
    keepable: bool = False
    kept: Kept | None = None
    limit: str = ""


@frozen
class Waits:
    """It could not be examined yet; `why` is a sentence, too."""

    why: Phrase


@frozen
class Filing:
    """What became of a file that a message brought, as far as it is known. `home`: where it will belong.

    `message` is None for what was handed in on the page or came by a bridge: it never stood in a room.
    """

    message: MessageId | None
    author: PersonId
    said_in: Conversation
    home: Conversation
    name: str
    result: Passed | Refused | Waits
    exposed: frozenset[PersonId] = frozenset()
    words: str = ""
    """What was written beside it."""
    otherwise: Post | None = None
    """How it stands in its room, where it came by a bridge and can be no document."""
    version_of: DocumentId | None = None
    """Of which document its owner said that it is a new version."""
    voice: Post | None = None
    """A voice message that stands in its room, with its bytes: what of it goes to other networks."""
    removed: bool = False
    """Whether that was removed from its room meanwhile: then it goes nowhere."""


def attached(came: MessageId, kept: Message, facts: Facts) -> list[Effect]:
    """What came with a mail besides its words, which stand as `kept` in a private room: it goes to the vault, or, where
    there is none, into that room as it is."""
    posts = [Post(kept.conversation, kept.author, file, kept.id) for file in kept.files]
    return [Ingest(came, post.conversation, attached=post) for post in posts] if facts.documents else [*posts]


def not_to_fetch(case: Case, message: Message, facts: Facts) -> str | None:
    """Why a file that lies at its author's network is not fetched from there; None: it is."""
    if not facts.documents:
        return "it is a file, and this server keeps none"
    if message.conversation.kind is not Kind.CAUCUS:
        return "it is a file, and those come there through the mediator alone"
    why = objection(case, message.author, message.conversation)
    return why and f"it is a file, which is not fetched while it can’t be posted: {why}"


def decide_brought(case: Case, message: Message, author: Person) -> Decision:
    """What follows at once from a file that lies at its author's network: it is fetched. Nobody gets the file itself,
    unless it can be no document; then it stands in its author's private room."""
    where = message.conversation
    post = Post(where, author.id, message.content, message.id)
    notice = f"{author.name} shared a file in {desk_label(where, case)}. It is being examined, and becomes a document."
    effects = (Ingest(message.id, where, attached=post), Tell(DESK, notice))
    return Decision(case, effects, "file", "it is fetched and examined, and becomes a document")


def decide_file(case: Case, message: Message, author: Person) -> Decision:
    """What follows at once from a message with a file that is surely its author's: it is fetched, and out of the joint
    room it goes before anything else, and what was written beside it is held. Nobody gets the file itself."""
    home = _home(case, author, message.conversation)
    where = desk_label(message.conversation, case)
    if message.conversation != JOINT:
        notice = Tell(DESK, f"{author.name} shared a file in {where}. It is being examined, and becomes a document.")
        told = () if message.conversation == DESK else (notice,)
        return Decision(case, (Ingest(message.id, home), *told), "file", "it is examined, and becomes a document")
    exposed = readers(case, JOINT) - {author.id}
    words = isinstance(message.content, File) and message.content.words
    text = phrase(
        "Your file was taken out of {room}: files come there through the mediator alone. Whoever was quick may have it,"
        " and I can't know. It is being examined, and becomes a document that nobody else may see.",
        room=label(JOINT, case),
    )
    if words:
        text = together([text, phrase("What you wrote beside it went with it; the mediator has it.")])
    taken_out = f"A file of {author.name}’s was taken out of {where}; {people(case, exposed)} may have seen it."
    effects: tuple[Effect, ...] = (
        Redact(JOINT, message.id),
        Ingest(message.id, home, exposed),
        *((Hold(message.id, BESIDE_A_FILE),) if words else ()),
        *(Explain(author.id, own, text) for own in (home,) if own != DESK),
        Tell(DESK, f"{taken_out}{' What was written beside it is held: !held shows it.' if words else ''}"),
    )
    return Decision(case, effects, "joint-file", "files don’t belong into the joint room")


def decide_filed(case: Case, filing: Filing, facts: Facts) -> Decision:
    """What follows once it was examined."""
    match filing.result:
        case Passed():
            return _kept(case, filing, filing.result, facts)
        case Refused():
            return _refused(case, filing, filing.result, facts)
        case Waits(why):
            told = _told_of_file(case, filing, facts, _NOT_YET, why, phrase("It is tried again by itself."))
            return Decision(case, told, "file-waits", why)
        case _:
            assert_never(filing.result)


def _kept(case: Case, filing: Filing, passed: Passed, facts: Facts) -> Decision:
    same = versions.same_file(case, filing.author, filing.home, passed.original.sha256)
    if same and not same[0].quarantined:
        return _again(case, filing, same, facts)
    document = _with_file(case, filing, passed, facts.at)
    former = versions.namesake(case, document)
    case = case.with_document(document)
    version = document.newest

    def text(audience: frozenset[PersonId]) -> Phrase:
        named = may_be_named_to(case, document, version, audience, facts.at)
        parts = [
            card(case, document, version, facts.at, named=named),
            _out_of_room(case, filing, facts),
            *([_offer(document)] if filing.said_in == JOINT and document.home != DESK else []),
            *([_namesake(document, former)] if named and former else []),
            phrase("!doc show {number} shows more, !doc list all documents.", number=document.id),
        ]
        return together(parts, by="\n")

    reason = f"{document.id}.{version.number}, SHA-256 {version.served.sha256}, is kept"
    return Decision(case, (*_told(case, filing, text), *_taken_away(filing)), "file-kept", reason)


def _refused(case: Case, filing: Filing, refused: Refused, facts: Facts) -> Decision:
    """What does harm goes. Nothing else is lost: it stays where it was said in private, or is held."""
    why, where = refused.why, label(filing.said_in, case)
    after: tuple[Effect, ...]
    parts: tuple[str, ...]
    silent = refused.harmful or refused.limit or filing.removed
    heard = () if silent else relayed(case, filing.voice or filing.otherwise, facts)
    away = {person.id for person in bridged_readers(case, filing.said_in)} - {filing.author, *(to.to for to in heard)}
    others = phrase("Nobody else who reads there by another network gets the file.") if away else ""
    if filing.otherwise and not refused.harmful:
        there = phrase("It stands in {room} as it came.", room=where)
        parts, after = (_NO_DOCUMENT, why, there, others), (filing.otherwise, *heard)
    elif filing.message is None or refused.harmful:
        parts, after = (_NOT_KEPT, why, _out_of_room(case, filing, facts)), _taken_away(filing)
    elif filing.said_in == JOINT:
        out = phrase("It was taken out of {room}; the mediator knows of it.", room=where)
        left = phrase("Its encrypted bytes stay on the server; who has read it there may have kept a copy.")
        # What was beside it may have been held before, and that may be over.
        parts, after = (_NO_DOCUMENT, why, out, left), (Hold(filing.message, NO_DOCUMENT),)
    else:
        there = phrase("The message with it stays in {room}.", room=where)
        parts, after = (_NO_DOCUMENT, why, there, others), heard
    told = _told_of_file(case, filing, facts, *parts)
    if refused.kept:
        return _locked(case, filing, refused, facts, (parts, after))
    if refused.limit:
        case, told = _over_limit(case, filing, refused.limit, told)
    return Decision(case, (*told, *after), "file-refused", refused.why)


def _over_limit(case: Case, filing: Filing, limit: str, told: tuple[Effect, ...]) -> tuple[Case, tuple[Effect, ...]]:
    """Whose it is, is told each time; the mediators once, and which limit it is they alone."""
    if filing.home != DESK:
        told = tuple(one for one in told if not (isinstance(one, Tell) and one.conversation == DESK))
    if limit in case.full:
        return case, told
    text = f"No more documents are taken: a limit is reached ({limit}). Your administrator can raise it."
    return replace(case, full=case.full | {limit}), (*told, Tell(DESK, text))


def _locked(
    case: Case, filing: Filing, refused: Refused, facts: Facts, become: tuple[tuple[str, ...], tuple[Effect, ...]]
) -> Decision:
    """As it was refused, and it lies locked."""
    assert refused.kept
    parts, after = become
    file = Locked(filing.author, filing.home, filing.name, refused.kept, refused.why)
    document = locked(case, file, facts.at)
    if document is None or document.newest.label is Label.PRIVILEGED:  # nobody could let it out
        return Decision(case, (*_told_of_file(case, filing, facts, *parts), *after), "file-refused", refused.why)
    document = replace(document, exposed=filing.exposed)
    lies = phrase(
        "It lies locked as {number}: a mediator can have it kept as it is (!doc keep {number}: REASON).",
        number=document.id,
    )
    told = _told_of_file(case, filing, facts, *parts, lies)
    reason = f"{refused.why} {document.id}, SHA-256 {refused.kept.sha256}, lies locked"
    return Decision(case.with_document(document), (*told, *after), "file-locked", reason)


def _again(case: Case, filing: Filing, same: tuple[Document, Version], facts: Facts) -> Decision:
    """The very same file was brought before: it is that document."""
    document, version = same
    document = replace(document, exposed=document.exposed | filing.exposed)
    case = case.with_document(document)

    def text(audience: frozenset[PersonId]) -> Phrase:
        named = may_be_named_to(case, document, version, audience, facts.at)
        shown = card(case, document, version, facts.at, named=named)
        known = phrase("That file is kept already, so nothing new was made of it.")
        return together([together([known, _out_of_room(case, filing, facts)]), shown], by="\n")

    reason = f"it is the same file as {document.id}.{version.number}"
    return Decision(case, (*_told(case, filing, text), *_taken_away(filing)), "file-again", reason)


def _offer(document: Document) -> Phrase:
    """The proper way to those for whom it was meant."""
    return phrase(
        "If all are to have it, its owner says !doc request {number} download, and the mediator releases it.",
        number=document.id,
    )


def _namesake(document: Document, former: Document) -> Phrase:
    return phrase(
        "{former} has that name, so this one got a number, and is no less strict. If it is a new version of {former},"
        " its owner can say so: !doc version {number} of {former}.",
        former=former.id,
        number=document.id,
    )


def _with_file(case: Case, filing: Filing, passed: Passed, at: datetime) -> Document:
    """A new document, or a new version of the one that its owner named."""
    label = Label.CAUCUS if filing.home.kind is Kind.CAUCUS else Label.MEDIATORS
    version = Version(
        1,
        label,
        passed.kind,
        passed.mimetype,
        at,
        passed.served,
        passed.original,
        passed.pages,
        passed.changes,
    )
    place, name = (case, filing.author, filing.home), file_name(filing.name, passed.kind)
    longer = versions.grown(*place, filing.version_of, version) if filing.version_of else None
    document = longer or versions.another(*place, name, version)
    return replace(document, exposed=document.exposed | filing.exposed)


def _home(case: Case, author: Person, said_in: Conversation) -> Conversation:
    """Where it belongs: where it was said in private, or else its author's only private room, or else the desk (I2)."""
    if said_in != JOINT:
        return said_in
    own = caucuses_of(case, author.id)
    return own[0] if len(own) == 1 else DESK


def _taken_away(filing: Filing) -> tuple[Effect, ...]:
    """The event, unless it went at once, and its media."""
    if filing.message is None:
        return ()
    redact = () if filing.said_in == JOINT else (Redact(filing.said_in, filing.message),)
    return (*redact, Erase(filing.message))


def _told(case: Case, filing: Filing, text: Callable[[frozenset[PersonId]], Phrase]) -> tuple[Effect, ...]:
    """To those whose it is, over their own channels, and to the desk; to each in words that are fit for them."""
    home, beside = filing.home, _beside(case, filing)
    desk, here = text(readers(case, DESK)), "" if _stays(filing) else beside
    if home == DESK:
        return (Tell(DESK, together([desk, here], by="\n")),)
    away = (
        Inform(p.id, home, together([text(frozenset({p.id})), words], by="\n"))
        for p in bridged_readers(case, home)
        for words in [beside_for(case, filing.author, home, p, beside)]
    )
    return (Announce(home, together([text(readers(case, home)), here], by="\n")), *away, Tell(DESK, desk))


def announced(case: Case, home: Conversation, text: Callable[[frozenset[PersonId]], Phrase]) -> tuple[Effect, ...]:
    """A card: to those whose it is, over their own channels, and to the desk, in words that are fit for each."""
    desk = Tell(DESK, text(readers(case, DESK)))
    if home == DESK:
        return (desk,)
    away = (Inform(p.id, home, text(frozenset({p.id}))) for p in bridged_readers(case, home))
    return (Announce(home, text(readers(case, home))), *away, desk)


def _stays(filing: Filing) -> bool:
    """Whether it stands where it was said, and what was written beside it, too."""
    if filing.message is None and filing.otherwise is None:
        return False
    refused = isinstance(filing.result, Refused) and not filing.result.harmful
    return filing.said_in != JOINT and (refused or isinstance(filing.result, Waits))


def _beside(case: Case, filing: Filing) -> Phrase | str:
    """What was written beside it, for those who read where it was written; while it waits, nobody is told yet."""
    if not filing.words or filing.said_in != filing.home or isinstance(filing.result, Waits):
        return ""
    wrote = phrase("{name} wrote beside it:", name=case.name_of(filing.author))
    return together([wrote, *marked(filing.words)], by="\n")


def _told_of_file(case: Case, filing: Filing, facts: Facts, *parts: str) -> tuple[Effect, ...]:
    """What became of a file that is no document, by its name only to those who may see the one of theirs that has
    that name: something privileged, say."""
    former = next((d for d in reversed(case.documents) if _is_another(case, filing, d)), None)

    def text(audience: frozenset[PersonId]) -> Phrase:
        # Its name is its author's word; who is told alone may be told over another network.
        goes = len(audience) > 1 or all(carries(case, filing.author, filing.home, one) for one in audience)
        seen = former is None or all_may_view(case, former, former.newest, audience, facts.at)
        return together([f"“{file_name(filing.name)}”" if goes and seen else phrase("A file"), *parts])

    return _told(case, filing, text)


def _is_another(case: Case, filing: Filing, document: Document) -> bool:
    """Whether a file has the name of a document, were it of the same kind."""
    if document.into or document.quarantined:
        return False
    name = file_name(filing.name, document.newest.kind)
    theirs = case.same_voice(filing.author, document.owner) and filing.home == document.home
    return theirs and name in {document.name, document.called}


def _out_of_room(case: Case, filing: Filing, facts: Facts) -> Phrase | str:
    """Where it stands no more, if it ever stood in a room."""
    if filing.message is None:
        return ""
    out = phrase("The file itself was taken out of {room}.", room=label(filing.said_in, case))
    return together([out, _left_over(facts)])


def _left_over(facts: Facts) -> Phrase:
    """What is not enforced is said (I8)."""
    if facts.deletes_media:
        return phrase("The server was told to delete it; who has read it there may have kept a copy.")
    return phrase(
        "Its encrypted bytes stay on the server, which I may not delete from, and nobody gets their key any more; who"
        " has read it there may have kept a copy."
    )
