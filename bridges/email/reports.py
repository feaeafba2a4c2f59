"""Delivery reports (RFC 3464): what became of one mail of ours, from the machine-readable part alone.

The text and the returned mail are not looked at: whoever wrote them could say anything. Which mail it is about is known
by the address that it came to, and by nothing in it.
"""

import re
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Final

from bridges.email.mime import LIMITS, Limits, out_of_bounds
from policies.networks.mail import MailState, Report

_UNREADABLE: Final = Report(None)
_STATUS: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_STATES: Final = {
    "failed": MailState.FAILED,
    "delayed": MailState.DELAYED,
    "delivered": MailState.DELIVERED,
    "relayed": MailState.ACCEPTED,
    "expanded": MailState.ACCEPTED,
}
_WORST: Final = (MailState.FAILED, MailState.DELAYED, MailState.ACCEPTED, MailState.DELIVERED)


def read_report(raw: bytes, limits: Limits = LIMITS) -> Report:
    """What a mail to a report's address says. Never raises: what is no such report has no state."""
    if out_of_bounds(raw, limits) is not None:
        return _UNREADABLE
    try:
        return _report(BytesParser(policy=compat32).parsebytes(raw))
    except Exception:  # noqa: BLE001 - hostile mail raises anything
        return _UNREADABLE


def _report(message: Message) -> Report:
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return _UNREADABLE
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    status = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    if status is None or not status.is_multipart():
        return _UNREADABLE
    blocks = [_recipient(block) for block in status.get_payload() if isinstance(block, Message) and "action" in block]
    return min(blocks, key=lambda one: _WORST.index(one.state) if one.state else len(_WORST), default=_UNREADABLE)


def _recipient(block: Message) -> Report:
    state = _STATES.get(str(block.get("action", "")).split("(")[0].strip().lower())
    found = _STATUS.match(str(block.get("status", "")))
    return Report(state, found[1] if found else "")
