"""Reading a reply: the sender's own words, cut at our own anchor, or the reason why they are not certain.

A quote that is not recognised is held, not parsed harder. No line of what we sent is ever left in `Clean`.
"""

import re
from collections.abc import Collection
from typing import Final

from bridges.email.anchor import cut_at_anchor, shows_mark
from bridges.email.attribution import introduces_a_quote, without_attribution
from bridges.email.ids import holds_token_address, mask_token_addresses
from bridges.email.incoming import Clean, IncomingMail, Reading, Unsafe, UnsafeReason
from bridges.email.plaintext import WORDS_MARK, without_signature
from bridges.email.subtraction import probably_own, without_sent_quotes

_LONGEST_MARK: Final = 200
_LAYOUT: Final = re.compile(r"[\s>*|-]+")
_FORWARD: Final = re.compile(
    r"\s*(?:-{2,}.*(?:forward|weitergeleitet|transféré|reenviad|inoltrat|doorgestuurd|encaminhad).*-{2,}"
    r"|Begin forwarded message:|Anfang der weitergeleiteten Nachricht:|Début du message réexpédié\s?:)\s*",
    re.IGNORECASE,
)


def read_reply(mail: IncomingMail, reply_address: str, room_name: str, sent: Collection[str] = ()) -> Reading:
    """The sender's words in a mail to `reply_address`, whose room shows its mail as coming from `room_name`.

    `sent`: those of the mail's lines (`subtraction.sent_lines`) that this person was sent from that room. Says nothing
    of who sent the mail (see `proof`), nor of files: those are with the mail.
    """
    shown = mask_token_addresses(mail.body.text).strip()
    reason = _obstacle(mail, reply_address)
    if reason is not None:
        return Unsafe(reason, shown)
    lines = mail.body.text.split("\n")
    above = mail.body.above
    words = (
        _cut(lines, reply_address, room_name, sent)
        if above is None
        else _cut_html(lines, above.split("\n"), reply_address, room_name)
    )
    if isinstance(words, UnsafeReason):
        return Unsafe(words, shown, _probably_own(lines, reply_address, room_name, sent))
    text = "\n".join(line.rstrip() for line in without_signature(words)).strip()
    return Clean(text) if text else Unsafe(UnsafeReason.NO_WORDS, shown)


def _obstacle(mail: IncomingMail, reply_address: str) -> UnsafeReason | None:
    if mail.malformed:
        return UnsafeReason.MALFORMED
    # One that names nobody may be any mail of that sender's, sent to us by whoever received it.
    if {recipient.lower() for recipient in mail.recipients} != {reply_address.lower()}:
        return UnsafeReason.OTHER_RECIPIENTS
    return mail.body.obstacle


def _cut(lines: list[str], reply_address: str, room_name: str, sent: Collection[str]) -> list[str] | UnsafeReason:
    cut = cut_at_anchor(lines, reply_address)
    if cut is None:
        left = without_sent_quotes(lines, sent, reply_address, room_name) or lines
        return _quote_left(left) or left
    if cut.answered_below:
        return UnsafeReason.ANSWERED_IN_QUOTE
    words = without_attribution(cut.above, reply_address, room_name)
    if words is None:
        return UnsafeReason.QUOTE_UNRECOGNISED
    return _quote_left(words) or words


def _cut_html(lines: list[str], above: list[str], reply_address: str, room_name: str) -> list[str] | UnsafeReason:
    """What stands outside of all that the client marked as quoted; but only if all the rest is our own mail, untouched,
    and nothing follows it: else an answer within the quote, or another mail, would go unseen."""
    cut = cut_at_anchor(lines, reply_address)
    if cut is None:
        return UnsafeReason.HTML_QUOTE
    if cut.answered_below:
        return UnsafeReason.ANSWERED_IN_QUOTE
    if not _bare("\n".join(cut.above)).startswith(_bare("\n".join(above))):
        return UnsafeReason.HTML_QUOTE
    words = without_attribution(above, reply_address, room_name)
    if words is None:
        return UnsafeReason.QUOTE_UNRECOGNISED
    return _quote_left(words) or words


def _probably_own(lines: list[str], reply_address: str, room_name: str, sent: Collection[str]) -> str:
    lines = lines[: next((i for i, line in enumerate(lines) if _is_forward(line)), len(lines))]
    cut = cut_at_anchor(lines, reply_address)
    if cut is not None:
        above = without_attribution(cut.above, reply_address, room_name)
        lines = [*without_signature(cut.above if above is None else above), "", *cut.below]
    return mask_token_addresses(probably_own(lines, sent, is_ours=cut is not None))


def _is_forward(line: str) -> bool:
    return len(line) <= _LONGEST_MARK and _FORWARD.fullmatch(line) is not None


def _bare(text: str) -> str:
    """What is left of a text whatever its layout."""
    return _LAYOUT.sub("", text)


def _quote_left(lines: list[str]) -> UnsafeReason | None:
    """What these lines still hold of another message."""
    if any(_is_forward(line) for line in lines):
        return UnsafeReason.FORWARDED
    quoted = any(line.lstrip().startswith((">", WORDS_MARK.strip())) or shows_mark(line) for line in lines)
    if quoted or introduces_a_quote(lines) or holds_token_address("\n".join(lines)):
        return UnsafeReason.QUOTE_UNRECOGNISED
    return None
