"""Answers to our own mails as people's programs write them: every listed client and language, edited by hand or not.

What a client puts between an answer and its quote was written down from the clients' own formats, never from mails.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from bridges.email.convert_out import Letter
from tests.bridges.email.builders import ADDRESS, ROOM, html_of, text_of

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")
_GMAIL = {
    "en": "On Mon, Jan 5, 2026 at 10:00 AM {name} <{address}> wrote:",
    "de": "Am Mo., 5. Jan. 2026 um 10:00 Uhr schrieb {name} <{address}>:",
    "fr": "Le lun. 5 janv. 2026 à 10:00, {name} <{address}> a écrit :",
    "es": "El lun, 5 ene 2026 a las 10:00, {name} (<{address}>) escribió:",
    "it": "Il giorno lun 5 gen 2026 alle ore 10:00 {name} <{address}> ha scritto:",
    "pt": "Em seg., 5 de jan. de 2026 às 10:00, {name} <{address}> escreveu:",
    "nl": "Op ma 5 jan 2026 om 10:00 schreef {name} <{address}>:",
}
_APPLE = {
    "en": "On 5 Jan 2026, at 10:00, {name} <{address}> wrote:",
    "de": "Am 05.01.2026 um 10:00 schrieb {name} <{address}>:",
    "fr": "Le 5 janv. 2026 à 10:00, {name} <{address}> a écrit :",
    "es": "El 5 ene 2026, a las 10:00, {name} <{address}> escribió:",
    "it": "Il giorno 5 gen 2026, alle ore 10:00, {name} <{address}> ha scritto:",
    "pt": "No dia 05/01/2026, às 10:00, {name} <{address}> escreveu:",
    "nl": "Op 5 jan 2026, om 10:00 heeft {name} <{address}> het volgende geschreven:",
}
_THUNDERBIRD = {
    "en": "On 05/01/2026 10:00, {name} wrote:",
    "de": "Am 05.01.26 um 10:00 schrieb {name}:",
    "fr": "Le 05/01/2026 à 10:00, {name} a écrit :",
    "es": "El 5/1/26 a las 10:00, {name} escribió:",
    "it": "Il 05/01/2026 10:00, {name} ha scritto:",
    "pt": "Em 05/01/2026 10:00, {name} escreveu:",
    "nl": "Op 05-01-2026 om 10:00 schreef {name}:",
}
_YAHOO = {
    "en": "On Monday, January 5, 2026 at 10:00:00 AM GMT+1, {name} <{address}> wrote:",
    "de": "Am Montag, 5. Januar 2026 um 10:00:00 MEZ hat {name} <{address}> Folgendes geschrieben:",
    "fr": "Le lundi 5 janvier 2026 à 10:00:00 UTC+1, {name} <{address}> a écrit :",
    "es": "El lunes, 5 de enero de 2026, 10:00:00 CET, {name} <{address}> escribió:",
    "it": "Il lunedì 5 gennaio 2026 alle ore 10:00:00 CET, {name} <{address}> ha scritto:",
    "pt": "Em segunda-feira, 5 de janeiro de 2026 10:00:00 WET, {name} <{address}> escreveu:",
    "nl": "Op maandag 5 januari 2026 om 10:00:00 CET schreef {name} <{address}>:",
}
_PROTON = {
    "en": "On Monday, 5 January 2026 at 10:00, {name} <{address}> wrote:",
    "de": "Am Montag, 5. Januar 2026 um 10:00, schrieb {name} <{address}>:",
    "fr": "Le lundi 5 janvier 2026 à 10:00, {name} <{address}> a écrit :",
    "es": "El lunes, 5 de enero de 2026 a las 10:00, {name} <{address}> escribió:",
    "it": "Il lunedì 5 gennaio 2026 alle 10:00, {name} <{address}> ha scritto:",
    "pt": "Em segunda-feira, 5 de janeiro de 2026 às 10:00, {name} <{address}> escreveu:",
    "nl": "Op maandag 5 januari 2026 om 10:00 schreef {name} <{address}>:",
}
_BLOCK = {
    "en": ("From", "Sent", "To", "Subject", "Original Message"),
    "de": ("Von", "Gesendet", "An", "Betreff", "Ursprüngliche Nachricht"),
    "fr": ("De\u00a0", "Envoyé\u00a0", "À\u00a0", "Objet\u00a0", "Message d'origine"),
    "es": ("De", "Enviado", "Para", "Asunto", "Mensaje original"),
    "it": ("Da", "Inviato", "A", "Oggetto", "Messaggio originale"),
    "pt": ("De", "Enviada em", "Para", "Assunto", "Mensagem original"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp", "Oorspronkelijk bericht"),
}
_SENT = {
    "en": "Monday, January 5, 2026 10:00 AM", "de": "Montag, 5. Januar 2026 10:00", "fr": "lundi 5 janvier 2026 10:00",
    "es": "lunes, 5 de enero de 2026 10:00", "it": "lunedì 5 gennaio 2026 10:00",
    "pt": "segunda-feira, 5 de janeiro de 2026 10:00", "nl": "maandag 5 januari 2026 10:00",
}  # fmt: skip
_SAID = {
    "en": ("Yes.", "I would accept 4,500.\n\nOn the garden: he said he'd cut the hedge.\nRegards, Carl",
           f"In {ROOM.name} you ask two things:\n- the price\n- the date\n\nI want to think: until Friday."),
    "de": ("Ja.", "4.500 wären mir recht.\n\nAm Montag schrieb ich schon wegen der Hecke.\nViele Grüße, Carl",
           f"In {ROOM.name} fragen Sie zweierlei:\n- den Preis\n- den Termin\n\nIch überlege beides: bis Freitag."),
    "fr": ("Oui.", "J'accepterais 4 500.\n\nLe jardin : il m'a écrit qu'il couperait la haie.\nCordialement, Carl",
           f"Dans {ROOM.name}, deux questions :\n- le prix\n- la date\n\nJ'y réfléchis : jusqu'à vendredi."),
    "es": ("Sí.", "Aceptaría 4.500.\n\nEl lunes me escribió que cortaría el seto.\nUn saludo, Carl",
           f"En {ROOM.name} pregunta dos cosas:\n- el precio\n- la fecha\n\nLo pienso: hasta el viernes."),
    "it": ("Sì.", "Accetterei 4.500.\n\nIl giardino: ha scritto che taglia la siepe.\nCordiali saluti, Carl",
           f"In {ROOM.name} due domande:\n- il prezzo\n- la data\n\nCi penso: fino a venerdì."),
    "pt": ("Sim.", "Aceitaria 4.500.\n\nEm janeiro ele escreveu que cortava a sebe.\nCumprimentos, Carl",
           f"Em {ROOM.name} pergunta duas coisas:\n- o preço\n- a data\n\nVou pensar: até sexta-feira."),
    "nl": ("Ja.", "4.500 is goed.\n\nOp maandag schreef ik al over de heg.\nGroeten, Carl",
           f"In {ROOM.name} vraagt u twee dingen:\n- de prijs\n- de datum\n\nIk denk erover na: tot vrijdag."),
}  # fmt: skip
EDITS = ("all", "end cut off", "few lines", "no quote", "signature below", "signature above")


@dataclass(frozen=True)
class Reply:
    """An answer: what its author wrote, what was quoted, and the mail."""

    client: str
    language: str
    edit: str
    words: str
    quoted: str
    raw: bytes


def replies(letter: Letter, *, to: str = ADDRESS, closings: Mapping[str, str] | None = None) -> Iterator[Reply]:
    """Every client's answers to a letter, in every language, with every edit that the client lets its user do.

    `closings`: how the words end in each language."""
    text, source = text_of(letter), html_of(letter)
    for language in LANGUAGES:
        for said in _SAID[language]:
            words = f"{said}\n\n{closings[language]}" if closings else said
            for client, wrote, prefix in (
                ("gmail", _folded(_named(_GMAIL[language], letter)), ""),
                ("apple mail", _named(_APPLE[language], letter), "> "),
                ("thunderbird", _named(_THUNDERBIRD[language], letter), ""),
                ("proton", _named(_PROTON[language], letter), ""),
            ):
                for edit in EDITS:
                    plain = _plain(words, prefix + wrote, text, edit)
                    yield Reply(client, language, edit, words, text, mailed(to, plain=plain))
            yield from _unmarked(words, language, letter, text, to)
            for client, quoting in _html(language, letter, source).items():
                written = _written(words)
                alone = f"<html><body>{written}{quoting}</body></html>"
                yield Reply(f"{client}, HTML", language, "all", words, text, mailed(to, source=alone))
            both = _plain(words, _named(_GMAIL[language], letter), text, "all")
            quoting = _html(language, letter, source)["gmail"]
            raw = mailed(to, plain=both, source=f"<html><body>{_written(words)}{quoting}</body></html>")
            yield Reply("gmail, both", language, "all", words, text, raw)


def _unmarked(words: str, language: str, letter: Letter, text: str, to: str) -> Iterator[Reply]:
    """Of clients that don't mark what they quote."""
    sender, sent, recipient, subject, fence = _BLOCK[language]
    head = "\n".join(
        (
            f"{sender}: {letter.room.name} <{letter.reply_address}>",
            f"{sent}: {_SENT[language]}",
            f"{recipient}: Carl <carl@example.net>",
            f"{subject}: {letter.room.name}",
        )
    )
    yahoo = "\n".join(f"   {line}".rstrip() for line in text.split("\n"))
    wrote = _named(_YAHOO[language], letter)
    for client, plain in (
        ("outlook", f"{words}\n\n-----{fence}-----\n{head}\n\n{text}\n"),
        ("outlook on the web", f"{words}\n{'_' * 32}\n{head}\n\n{text}\n"),
        ("yahoo", f"{words}\n    {wrote}  \n \n {yahoo}\n   "),
    ):
        yield Reply(client, language, "all", words, text, mailed(to, plain=plain))


def _html(language: str, letter: Letter, source: str) -> dict[str, str]:
    """What each client puts below the words."""
    inner = source[source.index(">", source.index("<body")) + 1 : source.index("</body>")]
    sender, sent, recipient, subject, _ = _BLOCK[language]
    head = (
        f"<b>{sender}:</b> {letter.room.name} &lt;{letter.reply_address}&gt;<br><b>{sent}:</b> {_SENT[language]}<br>"
        f"<b>{recipient}:</b> Carl<br><b>{subject}:</b> {letter.room.name}"
    )
    apple, bird = escape(_named(_APPLE[language], letter)), escape(_named(_THUNDERBIRD[language], letter))
    gmail, proton = escape(_named(_GMAIL[language], letter)), escape(_named(_PROTON[language], letter))
    yahoo = escape(_named(_YAHOO[language], letter))
    rule = "border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"
    return {
        "gmail": '<br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">{gmail}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{inner}</blockquote></div>',
        "apple mail": f'<div><br><blockquote type="cite"><div>{apple}</div><br>{inner}</blockquote></div>',
        "thunderbird": f'<div class="moz-cite-prefix">{bird}<br></div><blockquote type="cite" cite="mid:1@x">{inner}'
        "</blockquote>",
        "outlook": f'<div><div style="{rule}"><p class="MsoNormal">{head}</p></div></div>{inner}',
        "outlook on the web": f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg" dir="ltr">{head}</div>'
        f"<div>{inner}</div>",
        "yahoo": f'<div id="ydp1yahoo_quoted_1" class="yahoo_quoted"><div>{yahoo}</div><div>{inner}</div></div>',
        "proton": f'<div class="protonmail_quote">{proton}<br><blockquote class="protonmail_quote" type="cite">{inner}'
        "</blockquote></div>",
    }


def _plain(words: str, wrote: str, text: str, edit: str) -> str:
    lines = text.strip("\n").split("\n")
    kept = {"end cut off": lines[: len(lines) // 2], "few lines": lines[4:7], "no quote": []}.get(edit, lines)
    quote = "\n".join(f"> {line}".rstrip() for line in kept)
    below = f"\n\n{wrote}\n\n{quote}\n" if kept else "\n"
    if edit == "signature below":
        return f"{words}{below}\n-- \nCarl Carlsen\n+49 30 1234\n"
    return f"{words}\n\n-- \nCarl Carlsen\n{below}" if edit == "signature above" else words + below


def _written(words: str) -> str:
    return "".join(f"<div>{line}</div>" if line else "<div><br></div>" for line in escape(words).split("\n"))


def _named(wrote: str, letter: Letter) -> str:
    return wrote.format(name=letter.room.name, address=letter.reply_address)


def _folded(wrote: str) -> str:
    """Gmail breaks the line within the address."""
    return wrote.replace(" <", " <\n", 1)


def mailed(to: str, *, plain: str | None = None, source: str | None = None) -> bytes:
    """The mail with this text, this HTML, or both."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Carl <carl@example.net>"
    message["To"] = to
    message["Subject"] = f"Re: {ROOM.name}"
    message["Message-ID"] = "<1@example.net>"
    if plain is not None:
        message.set_content(plain, cte="quoted-printable")
        if source is not None:
            message.add_alternative(source, subtype="html", cte="quoted-printable")
    elif source is not None:
        message.set_content(source, subtype="html", cte="quoted-printable")
    return message.as_bytes()
