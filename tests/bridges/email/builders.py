"""Mails for the tests: what we send, and what people's clients make of it in an answer."""

import re
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from html import escape

from bridges.email.convert_out import Content, Letter, MailRoom, Post, render
from bridges.email.ids import BounceToken, EmailAddress, ReplyToken, message_id, token_address
from bridges.email.proof import Trust
from policies.case import Kind

OWN_DOMAIN = "reply.example.org"
AUTHSERV_ID = "mx.example.org"
CARL = EmailAddress("carl", "example.net")
TOKEN = ReplyToken("abcdefghijklmnopqrstuvwxy2")
OTHER_TOKEN = ReplyToken("zyxwvutsrqponmlkjihgfedcb7")
ADDRESS = token_address(TOKEN, OWN_DOMAIN)
ROOM = MailRoom("PRIVATE with mediator · 1042", Kind.CAUCUS)
TRUST = Trust(AUTHSERV_ID, OWN_DOMAIN)
BOUNCES = token_address(BounceToken("bouncebouncebouncebounceaa"), OWN_DOMAIN)
PASSED = f"Authentication-Results: {AUTHSERV_ID}; dkim=pass header.d=example.net; dmarc=pass header.from=example.net"


def letter(content: Content, *, room: MailRoom = ROOM, token: ReplyToken = TOKEN) -> Letter:
    """A letter to Carl."""
    return Letter(
        content=content,
        room=room,
        reply_address=token_address(token, OWN_DOMAIN),
        bounce_address=BOUNCES,
        recipient=CARL,
        message_id=message_id("outbox-1", OWN_DOMAIN),
        at=datetime(2026, 1, 5, 10, 0, tzinfo=UTC),
    )


def sent(text: str) -> str:
    """The text of a mail that we sent, as Carl reads it."""
    return text_of(letter(Post("Mediator M", text)))


def text_of(found: Letter) -> str:
    """What the recipient of a letter reads."""
    return plain_of(parsed(render(found).raw))


def plain_of(message: EmailMessage) -> str:
    """Its plain text."""
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    return "\n".join(str(body.get_content()).splitlines())


def html_of(found: Letter) -> str:
    """The HTML of a letter."""
    body = parsed(render(found).raw).get_body(("html",))
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


def parsed(raw: bytes) -> EmailMessage:
    """A mail of ours, parsed by the library."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def mail(text: str, *headers: str, to: str = ADDRESS, sender: str = "Carl <carl@example.net>") -> bytes:
    """A plain mail of Carl's, with these header lines on top, as our mail server hands it on."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = f"Re: {ROOM.name}"
    message["Message-ID"] = "<1@example.net>"
    message.set_content(text, cte="quoted-printable")
    return "".join(f"{line}\r\n" for line in headers).encode() + message.as_bytes()


def _marked(original: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in original.split("\n"))


def _gmail(words: str, original: str) -> str:
    return f"{words}\n\nOn Mon, Jan 5, 2026 at 10:00 AM {ROOM.name} <\n{ADDRESS}> wrote:\n\n{_marked(original)}\n"


def _apple(words: str, original: str) -> str:
    quote = "\n".join(f"> {line}" if line else ">" for line in original.split("\n"))
    return f"{words}\n\n> On 5 Jan 2026, at 10:00, {ROOM.name} <{ADDRESS}> wrote:\n> \n{quote}\n"


def _iphone(words: str, original: str) -> str:
    return (
        f"{words}\n\n> Am 05.01.2026 um 10:00 schrieb {ROOM.name} <{ADDRESS}>:\n> \n> \ufeff{_marked(original)[2:]}\n"
    )


def _thunderbird(words: str, original: str) -> str:
    return f"{words}\n\nAm 05.01.26 um 10:00 schrieb {ROOM.name}:\n{_marked(original)}\n\n-- \nCarl Carlsen\n"


def _signed(words: str, original: str) -> str:
    return f"{words}\n\n-- \nCarl\n+49 30 1234\n\nOn 5/1/26 10:00, {ROOM.name} wrote:\n{_marked(original)}\n"


def _outlook(words: str, original: str) -> str:
    block = f"From: {ROOM.name} <{ADDRESS}>\nSent: Monday, January 5, 2026 10:00\nTo: Carl\nSubject: {ROOM.name}"
    linked = original.replace(ADDRESS, f"{ADDRESS}<mailto:{ADDRESS}>")
    return f"{words}\n\n-----Original Message-----\n{block}\n\n{linked}\n"


def _outlook_web_german(words: str, original: str) -> str:
    block = f"Von: {ROOM.name} <{ADDRESS}>\nGesendet: Montag, 5. Januar 2026 10:00\nAn: Carl\nBetreff: {ROOM.name}"
    return f"{words}\n{'_' * 32}\n{block}\n\n{original}\n"


def _yahoo(words: str, original: str) -> str:
    indented = textwrap.indent(original, "   ")
    wrote = f"    On Monday, January 5, 2026, 10:00:00 AM GMT+1, {ROOM.name} <{ADDRESS}> wrote:  "
    return f"{words}\n{wrote}\n \n {indented}\n   "


def _in_language(wrote: str) -> Callable[[str, str], str]:
    def reply(words: str, original: str) -> str:
        introduction = wrote.format(name=ROOM.name, address=ADDRESS)
        return f"{words}\n\n{introduction}\n\n{_marked(original)}\n"

    return reply


CLIENTS: dict[str, Callable[[str, str], str]] = {
    "gmail": _gmail,
    "apple mail": _apple,
    "iphone, german": _iphone,
    "thunderbird, german": _thunderbird,
    "signature above the quote": _signed,
    "outlook": _outlook,
    "outlook on the web, german": _outlook_web_german,
    "yahoo": _yahoo,
    "mutt": _in_language("On Mon, Jan 05, 2026 at 10:00:00AM +0100, {name} wrote:"),
    "french": _in_language("Le lun. 5 janv. 2026 à 10:00, {name} <{address}> a écrit :"),
    "spanish": _in_language("El lun, 5 ene 2026 a las 10:00, {name} (<{address}>)\nescribió:"),
    "italian": _in_language("Il giorno lun 5 gen 2026 alle ore 10:00 {name} <\n{address}> ha scritto:"),
    "dutch": _in_language("Op ma 5 jan 2026 om 10:00 schreef {name} <{address}>:"),
    "portuguese": _in_language("Em seg., 5 de jan. de 2026 às 10:00, {name} <{address}> escreveu:"),
    "polish, which we don't know": _in_language("pon., 5 sty 2026 o 10:00 {name} <{address}>\nnapisał(a):"),
    "no introduction": _in_language(""),
}
"""How clients write the plain text of an answer, by client: (words, our text) → the text of the answer."""


def _html_mail(words: str, *quoting: str) -> str:
    body = "".join(f"<div>{line}</div>" if line else "<div><br></div>" for line in escape(words).split("\n"))
    return f"<html><head><style>p {{}}</style></head><body>{body}{''.join(quoting)}</body></html>"


def _inner(original: str) -> str:
    """What clients keep of a mail's HTML: its body."""
    found = re.search(r"<body[^>]*>(.*)</body>", original, re.DOTALL)
    assert found is not None
    return found[1]


def _html_gmail(words: str, original: str) -> str:
    wrote = f'<div class="gmail_attr">On Mon, Jan 5, 2026 at 10:00 AM {ROOM.name} &lt;{ADDRESS}&gt; wrote:<br></div>'
    quote = f'<blockquote class="gmail_quote" style="margin:0">{_inner(original)}</blockquote>'
    return _html_mail(words, f'<br><div class="gmail_quote gmail_quote_container">{wrote}{quote}</div>')


def _html_apple(words: str, original: str) -> str:
    wrote = f"<div>Am 05.01.2026 um 10:00 schrieb {ROOM.name} &lt;{ADDRESS}&gt;:</div>"
    return _html_mail(words, f'<div><br><blockquote type="cite">{wrote}<br>{_inner(original)}</blockquote></div>')


def _html_thunderbird(words: str, original: str) -> str:
    wrote = f'<div class="moz-cite-prefix">Le 05/01/2026 à 10:00, {ROOM.name} a écrit :<br></div>'
    return _html_mail(words, wrote, f'<blockquote type="cite" cite="mid:1@x">{_inner(original)}</blockquote>')


def _html_outlook(words: str, original: str) -> str:
    head = f"<b>From:</b> {ROOM.name} &lt;{ADDRESS}&gt;<br><b>Sent:</b> Monday<br><b>To:</b> Carl<br><b>Subject:</b> Re"
    return _html_mail(words, f'<hr><div id="divRplyFwdMsg" dir="ltr">{head}</div><div>{_inner(original)}</div>')


def _html_yahoo(words: str, original: str) -> str:
    wrote = f"<div>El lunes, 5 de enero de 2026, {ROOM.name} escribió:</div>"
    return _html_mail(
        words, f'<div id="ydp1yahoo_quoted_1" class="yahoo_quoted">{wrote}<div>{_inner(original)}</div></div>'
    )


def _html_proton(words: str, original: str) -> str:
    quote = f'<blockquote type="cite">{_inner(original)}</blockquote>'
    return _html_mail(words, f'<div class="protonmail_quote">Op 5 jan 2026 schreef {ROOM.name}:<br>{quote}</div>')


HTML_CLIENTS: dict[str, Callable[[str, str], str]] = {
    "gmail": _html_gmail,
    "apple mail, german": _html_apple,
    "thunderbird, french": _html_thunderbird,
    "outlook": _html_outlook,
    "yahoo, spanish": _html_yahoo,
    "proton, dutch": _html_proton,
}
"""How clients write the HTML of an answer that has no plain part: (words, our HTML) → theirs."""


def html_mail(source: str, *headers: str) -> bytes:
    """A mail of Carl's that is HTML and nothing else."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Carl <carl@example.net>"
    message["To"] = ADDRESS
    message["Subject"] = f"Re: {ROOM.name}"
    message["Message-ID"] = "<1@example.net>"
    message.set_content(source, subtype="html", cte="quoted-printable")
    return "".join(f"{line}\r\n" for line in headers).encode() + message.as_bytes()
