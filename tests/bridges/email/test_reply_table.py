"""How well answers are read: exactly, with nothing lost, nothing of another room let through, and rarely held in vain.

The table is printed (`pytest -s`). Public mails have no anchor of ours, so they are reported and not judged.
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridges.email.convert_in import read_mail
from bridges.email.convert_out import Letter, MailRoom, Post
from bridges.email.incoming import Clean
from bridges.email.reply import read_reply
from bridges.email.subtraction import sent_lines
from policies.case import JOINT, ConversationId, Kind
from policies.moderation.guard import grams, repeats
from tests.bridges.email.builders import ADDRESS, OTHER_TOKEN, ROOM, letter, text_of
from tests.bridges.email.replies import Reply, mailed, replies

CAUCUS = ConversationId("caucus-s5")
JOINTLY = MailRoom(ROOM.name, Kind.JOINT)
OFFER = "Dear Carl,\n\nThe offer: 4,000 at once, and the hedge in June.\nWould you call me before Friday?"
SECRET = "Between us:\n\nHe would go as far as 7,900, and knows nothing of the well.\nKeep that to yourself, please."
PUBLISHED = {
    "talon": (53, 39, 6), "mail-parser-reply 1.36": (29, 62, 4), "email-reply-parser 0.5.12": (43, 43, 10),
    "quotequail 0.5.4": (42, 46, 7), "unquotemail 1.0.11": (39, 50, 9),
}  # fmt: skip
"""Percent exact, with quoted text left, with words lost, on these public mails; measured once, with these versions."""


@dataclass
class Row:
    """What became of the answers of one client."""

    mails: int = 0
    exact: int = 0
    held: int = 0
    lost: int = 0
    left: int = 0

    def count(self, reply: Reply, found: object) -> None:
        """One more answer, as it was read."""
        self.mails += 1
        text = found.text if isinstance(found, Clean) else ""
        self.exact += text == reply.words
        self.held += not isinstance(found, Clean)
        # What is held is there for the mediator, whole.
        shown = text or str(getattr(found, "text", ""))
        self.lost += not set(reply.words.split()) <= set(shown.replace("…", "").split())
        self.left += bool(own_lines(text) & (own_lines(reply.quoted) - own_lines(reply.words)))

    @property
    def percents(self) -> tuple[float, float, float, float]:
        """Exact, held, lost, left."""
        return tuple(100 * n / self.mails for n in (self.exact, self.held, self.lost, self.left))  # type: ignore[return-value]


@dataclass
class Table:
    """Rows by client."""

    rows: dict[str, Row] = field(default_factory=dict)

    def count(self, reply: Reply, found: object) -> None:
        for name in (reply.client, f"in {reply.language}", f"edited: {reply.edit}", "all"):
            self.rows.setdefault(name, Row()).count(reply, found)

    def __str__(self) -> str:
        head = f"{'':32}{'mails':>7}{'exact':>8}{'held':>8}{'lost':>8}{'left':>8}"
        lines = [
            f"{name:32}{row.mails:7}" + "".join(f"{p:7.1f}%" for p in row.percents) for name, row in self.rows.items()
        ]
        return "\n".join([head, *lines])


def own_lines(text: str) -> set[str]:
    """The lines of a text that are long enough to be known by."""
    return {line.strip(" >|") for line in text.split("\n") if len(line.strip(" >|")) > 20}


def posted(raw: bytes, known: frozenset[str], elsewhere: dict[str, frozenset[ConversationId]]) -> object:
    """An answer to the joint room, as it is read there; the guard's no counts as held."""
    found = read_reply(read_mail(raw, null_sender=False), ADDRESS, ROOM.name, known)
    return None if isinstance(found, Clean) and repeats(found.text, elsewhere, {CAUCUS}) else found


def our_letter() -> Letter:
    return letter(Post("Mediator M", OFFER), room=JOINTLY)


def test_answers_to_our_own_mails_are_read_exactly_in_every_client_and_language() -> None:
    ours = our_letter()
    known, table = sent_lines(text_of(ours)), Table()
    elsewhere = dict.fromkeys(grams(SECRET), frozenset({CAUCUS})) | dict.fromkeys(grams(OFFER), frozenset({JOINT.id}))
    for reply in replies(ours):
        table.count(reply, posted(reply.raw, known, elsewhere))
    sys.stdout.write(f"\n{table}\n")
    for name, row in table.rows.items():
        exact, held, lost, left = row.percents
        assert exact >= 90, f"{name}\n{table}"
        assert lost <= 1, f"{name}\n{table}"
        assert left == 0, f"{name}\n{table}"
        assert held <= 10, f"{name}\n{table}"


CLOSINGS = {
    "en": "Thank you very much for your message.\n\nWith kind regards\nCarl Carlsen\nTel. +49 30 1234567",
    "de": "Vielen Dank für Ihre Nachricht.\n\nMit freundlichen Grüßen\nCarl Carlsen\nTel. +49 30 1234567",
    "fr": "Je vous remercie de votre message.\n\nBien cordialement,\nCarl Carlsen et Fils\nTél. : +49 30 1234567",
    "es": "Muchas gracias por su mensaje.\n\nReciba un cordial saludo,\nCarl Carlsen",
    "it": "La ringrazio per il suo messaggio.\n\nCordiali saluti\nCarl Maria Carlsen Figli",
    "pt": "Muito obrigado pela sua mensagem.\n\nCom os melhores cumprimentos\nCarl Carlsen",
    "nl": "Hartelijk dank voor uw bericht.\n\nMet vriendelijke groet,\nCarl Carlsen\n+49 30 1234567",
}
"""How somebody begins to end every mail, the private ones and those for all."""


def test_who_thanks_and_closes_in_every_room_alike_is_held_for_nothing() -> None:
    ours, table = our_letter(), Table()
    known = sent_lines(text_of(ours))
    for reply in replies(ours, closings=CLOSINGS):
        said = f"{SECRET}\n\n{CLOSINGS[reply.language]}"
        elsewhere = dict.fromkeys(grams(said), frozenset({CAUCUS})) | dict.fromkeys(grams(OFFER), frozenset({JOINT.id}))
        table.count(reply, posted(reply.raw, known, elsewhere))
    sys.stdout.write(f"\nwith a closing that stands in the private room, too\n{table}\n")
    for name, row in table.rows.items():
        exact, held, lost, left = row.percents
        assert (exact >= 90, held <= 10, lost <= 1, left) == (True, True, True, 0), f"{name}\n{table}"


def test_nothing_of_another_room_is_let_through_whatever_client_quotes_it_how() -> None:
    other = letter(Post("Mediator M", SECRET), token=OTHER_TOKEN)
    elsewhere = dict.fromkeys(grams(SECRET), frozenset({CAUCUS}))
    secret = own_lines(SECRET)
    outcomes: Counter[bool] = Counter()
    for reply in replies(other, to=ADDRESS):
        found = posted(reply.raw, sent_lines(text_of(our_letter())), elsewhere)
        outcomes[isinstance(found, Clean)] += 1
        assert not isinstance(found, Clean) or not own_lines(found.text) & secret, (reply.client, reply.language)
    # The liveness twin: whoever took the quote out is heard.
    assert outcomes[True] > 50
    assert outcomes[False] > 500


def test_the_guard_alone_finds_most_of_what_is_quoted_from_another_room() -> None:
    elsewhere = dict.fromkeys(grams(SECRET), frozenset({CAUCUS}))
    texts = [f"See:\n{SECRET}", f"See:\n{SECRET.upper()}", f"> {SECRET.splitlines()[2]}", SECRET.replace(" ", "\n")]
    assert all(repeats(text, elsewhere, {CAUCUS}) for text in texts)
    assert not repeats(OFFER, elsewhere, {CAUCUS})


def _public() -> list[tuple[str, str]]:
    root = os.environ.get("MEDIATRIX_FIXTURES")
    folder = Path(root, "email", "reply-trimmer") if root else Path("nowhere")
    if not folder.is_dir():
        return []
    return [
        ((folder / "emails" / file.name).read_text(errors="replace"), file.read_text(errors="replace"))
        for file in sorted((folder / "trimmed").glob("*.txt"))
    ]


@pytest.mark.skipif(not _public(), reason="MEDIATRIX_FIXTURES names no folder of public mails")
def test_public_answers_without_our_anchor_are_reported_beside_the_libraries() -> None:
    row = Row()
    for text, words in _public():
        found = read_reply(read_mail(mailed(ADDRESS, plain=text), null_sender=False), ADDRESS, ROOM.name)
        row.count(Reply("public", "en", "all", words.strip(), text, b""), found)
    exact, held, lost, left = row.percents
    ours = f"ours: {exact:.0f}/{left:.0f}/{lost:.0f}, and {held:.0f} held"
    theirs = [f"{name}: {'/'.join(map(str, figures))}" for name, figures in PUBLISHED.items()]
    sys.stdout.write(
        "\n".join(["", "public answers; percent exact/with quoted text left/with words lost", ours, *theirs])
    )
    assert row.mails
