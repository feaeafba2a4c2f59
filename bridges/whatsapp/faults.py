"""What the Cloud API's error codes call for. An unknown code is a person's matter, never tried again by itself."""

from collections.abc import Mapping
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from policies.frozen import frozen


@unique
class Remedy(StrEnum):
    """What to do about a message that was not taken."""

    RETRY = "retry"
    """The same again, later."""
    WINDOW = "window"
    """It waits until the person has written."""
    GIVE_UP = "give-up"
    """A mediator must find another way."""
    VERIFY = "verify"
    """It may be another person by now: nothing more, in either direction, until a mediator has made sure."""
    ALARM = "alarm"
    """The administrator must mend something."""


@frozen
class Fault:
    """What a code means, in a mediator's words, and what to do."""

    remedy: Remedy
    words: str
    is_known: bool = True
    """Whether the documentation has it."""


_BUSY: Final = Fault(Remedy.RETRY, "WhatsApp asks for patience")
_SETUP: Final = Fault(Remedy.ALARM, "the connection to WhatsApp must be mended by your administrator")
_TEMPLATE: Final = Fault(Remedy.ALARM, "the template must be mended by your administrator")
_MEDIUM: Final = Fault(Remedy.GIVE_UP, "WhatsApp did not take the file")

FAULTS: Final[Mapping[int, Fault]] = MappingProxyType(
    {
        **dict.fromkeys((4, 80007, 130429, 131056, 131000, 131016, 131057), _BUSY),
        131047: Fault(Remedy.WINDOW, "they have not written for 24 hours"),
        131009: Fault(Remedy.GIVE_UP, "WhatsApp does not take a value in it"),
        131026: Fault(Remedy.GIVE_UP, "WhatsApp can't reach that number: they may not use it, or have an old version"),
        131051: Fault(Remedy.GIVE_UP, "WhatsApp does not carry that kind of message"),
        131021: Fault(Remedy.GIVE_UP, "that is our own number"),
        131030: Fault(Remedy.GIVE_UP, "our number is a test number, and that one is not on its list"),
        131050: Fault(Remedy.GIVE_UP, "they asked WhatsApp to stop messages from us"),
        130472: Fault(Remedy.GIVE_UP, "WhatsApp keeps messages from that number for an experiment of its own"),
        131062: Fault(Remedy.GIVE_UP, "WhatsApp does not take that id of the person"),
        137000: Fault(Remedy.VERIFY, "the encryption identity of that account is another than the one we knew"),
        131052: _MEDIUM,
        131053: _MEDIUM,
        **dict.fromkeys((190, 10, 131031, 131042, 368, 131048), _SETUP),
        **dict.fromkeys((132000, 132001, 132005, 132007, 132012, 132015, 132016), _TEMPLATE),
    }
)
"""By the code that an answer or a failed status carries."""


def fault(code: int) -> Fault:
    """What that code calls for."""
    return FAULTS.get(code, Fault(Remedy.GIVE_UP, f"WhatsApp refused it ({code})", is_known=False))
