"""What the network's answer makes of a part of a message."""

from typing import assert_never

from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import Accepted, Refused, SendResult
from bridges.whatsapp.faults import fault
from policies.networks.whatsapp import WhatsAppState


def known_of(result: SendResult) -> WhatsAppState:
    """How far the part has come by then."""
    match result:
        case Accepted():
            return WhatsAppState.ACCEPTED
        case Unknown():
            return WhatsAppState.UNKNOWN
        case NotSent() | Refused():
            return WhatsAppState.REFUSED
        case _:
            assert_never(result)


def detail_of(result: SendResult) -> str:
    """What is kept of it, in words; empty where nothing is wrong."""
    match result:
        case Accepted():
            return ""
        case Unknown(reason) | NotSent(reason):
            return reason
        case Refused(code):
            return f"{code}: {fault(code).words}"
        case _:
            assert_never(result)
