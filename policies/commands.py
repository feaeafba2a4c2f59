"""The words mediators give: from a line of text to a command, or to what is wrong with it and an example that works."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.case import Consent, Network, Role


@dataclass(frozen=True, slots=True)
class NewCase:
    """Open a case. `steps` are carried out in it at once: a case file is one NewCase with steps."""

    title: str
    steps: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class AddPerson:
    """Somebody takes part. Without a side named, someone who sits in a caucus gets a side of their own."""

    name: str
    network: Network
    address: str
    role: Role = Role.PARTY
    side: str | None = None
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class RemovePerson:
    """Somebody takes part no more, and reads nothing from then on."""

    name: str


@dataclass(frozen=True, slots=True)
class AddSide:
    """A side, still without people."""

    name: str


@dataclass(frozen=True, slots=True)
class ListSides:
    """Show the sides and who is on them."""


@dataclass(frozen=True, slots=True)
class RecordConsent:
    """That a person agreed to have the words themselves sent by mail."""

    name: str
    wording: str


@dataclass(frozen=True, slots=True)
class ShowIdentity:
    """Show what is known of a person's encryption identity."""

    name: str


@dataclass(frozen=True, slots=True)
class ConfirmIdentity:
    """The person's new encryption identity is the one whose fingerprint begins so, and really theirs."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class OpenJoint:
    """The joint session begins."""


@dataclass(frozen=True, slots=True)
class ShowStatus:
    """Who is in the case, by what channel, and where it stands."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Say what the rooms' repair would change; a yes then does it."""

    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class ShowHeld:
    """List what is held, or show one held message."""

    item: str | None = None


@dataclass(frozen=True, slots=True)
class ShowDead:
    """List what could not be delivered; `retry` or `discard` one of them."""

    act: str = "list"
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """What can be said here."""

    topic: str | None = None


@dataclass(frozen=True, slots=True)
class ListCases:
    """The mediator's cases (outside of a case)."""


@dataclass(frozen=True, slots=True)
class Yes:
    """The answer to an Ask."""

    code: str


Command = (
    NewCase
    | AddPerson
    | RemovePerson
    | AddSide
    | ListSides
    | RecordConsent
    | ShowIdentity
    | ConfirmIdentity
    | OpenJoint
    | ShowStatus
    | Repair
    | ShowHeld
    | ShowDead
    | Help
    | ListCases
    | Yes
)


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """What is wrong with a line, and one that would work."""

    problem: str
    example: str

    def __str__(self) -> str:
        return f"{self.problem}. For example: {self.example}"


@dataclass(frozen=True, slots=True)
class Usage:
    """One command as `!help` shows it."""

    form: str
    does: str
    example: str
    lobby: bool = False
    desk: bool = True


USAGES = {
    "case new": Usage(
        "!case new TITLE", "opens a case and its desk", "!case new Smith and Jones", lobby=True, desk=False
    ),
    "case list": Usage("!case list", "your cases", "!case list", lobby=True, desk=False),
    "party add": Usage(
        "!party add NAME ADDRESS [as ROLE] [on SIDE]",
        "somebody takes part: with a Matrix id of this homeserver, or a mail address",
        "!party add Carl carl@example.org",
    ),
    "party remove": Usage(
        "!party remove NAME", "somebody takes part no more (asks first)", "!party remove Carl"
    ),
    "mediator add": Usage(
        "!mediator add NAME @user:server", "a co-mediator joins this case", "!mediator add Ines @ines:example.org"
    ),
    "side add": Usage("!side add NAME", "a side, still without people", "!side add Jones family"),
    "side list": Usage("!side list", "the sides and who is on them", "!side list"),
    "consent": Usage(
        "!consent NAME: WORDING",
        "records that somebody agreed to have the words themselves sent by mail",
        "!consent Carl: agreed by telephone to read the case by mail",
    ),
    "identity": Usage("!identity NAME", "what is known of somebody's encryption identity", "!identity Alice"),
    "confirm": Usage(
        "!confirm NAME: FINGERPRINT",
        "believes in somebody's new encryption identity, after you made sure that it is theirs",
        "!confirm Alice: AbCd EfGh IjKl",
    ),
    "open": Usage("!open", "the joint session begins: everyone is invited to the joint room", "!open"),
    "status": Usage("!status", "who takes part, by what channel, and where the case stands", "!status"),
    "repair": Usage("!repair", "says what is not as it should be in the rooms, and mends it on your yes", "!repair"),
    "held": Usage("!held [NUMBER]", "what is held, or one held message", "!held 1"),
    "dead": Usage(
        "!dead [retry|discard NUMBER]", "what could not be delivered", "!dead retry 1"
    ),
    "help": Usage("!help [COMMAND]", "this list, or one command", "!help party add", lobby=True),
}  # fmt: skip

ROLES = tuple(role.value for role in Role)


def is_command(text: str) -> bool:
    """Whether a line is meant as a command rather than as words for people."""
    return text.lstrip().startswith("!") or _YES.fullmatch(text.strip()) is not None


def parse(text: str) -> Command | Misunderstood:
    """The command that a line gives."""
    answer = _YES.fullmatch(text.strip())
    if answer:
        return Yes(answer["code"].upper())
    words = text.strip().removeprefix("!").split()
    for length in (2, 1):
        name = " ".join(words[:length]).lower()
        if name in _PARSERS and len(words) >= length:
            return _PARSERS[name](words[length:])
    return _near_miss(words)


def help_text(topic: str | None, *, lobby: bool) -> str:
    """The answer to `!help`, for the desk or for the direct chat."""
    usage = USAGES.get((topic or "").lower().removeprefix("!"))
    if usage:
        return f"{usage.form} – {usage.does}. For example: {usage.example}"
    shown = [u for u in USAGES.values() if (u.lobby if lobby else u.desk)]
    where = "Here you can say:" if lobby else "At this desk you can say:"
    return "\n".join([where, *(f"{u.form} – {u.does}" for u in shown)])


def _near_miss(words: list[str]) -> Misunderstood:
    said = " ".join(words[:2]).lower()
    names = difflib.get_close_matches(said, USAGES, n=1, cutoff=0.5) or difflib.get_close_matches(
        said.split(" ")[0], USAGES, n=1, cutoff=0.5
    )
    starts = [name for name in USAGES if words and name.split()[0] == words[0].lower()]
    best = next(iter(starts or names), None)
    if best:
        return Misunderstood(
            f"I don't know “!{' '.join(words[:2])}”. It may be meant as {USAGES[best].form}", USAGES[best].example
        )
    return Misunderstood("I don't know that command. !help lists what I understand", "!help")


def _wrong(name: str, problem: str) -> Misunderstood:
    return Misunderstood(f"{problem}. It goes: {USAGES[name].form}", USAGES[name].example)


def _case_new(words: list[str]) -> Command | Misunderstood:
    title = " ".join(words)
    return NewCase(title) if title else _wrong("case new", "The case needs a title")


def _party_add(words: list[str]) -> Command | Misunderstood:
    return _person("party add", words, Role.PARTY)


def _mediator_add(words: list[str]) -> Command | Misunderstood:
    return _person("mediator add", words, Role.CO_MEDIATOR)


def _person(command: str, words: list[str], role: Role) -> Command | Misunderstood:
    at = next((i for i, word in enumerate(words) if "@" in word), None)
    if at is None:
        return _wrong(command, "An address is missing: a Matrix id such as @alice:example.org, or a mail address")
    name, address, rest = " ".join(words[:at]).strip("\"'“”"), words[at], words[at + 1 :]
    if not name:
        return _wrong(command, "A name is missing")
    side: str | None = None
    while rest:
        match rest[0].lower():
            case "as" if len(rest) > 1 and rest[1].lower() in ROLES:
                role, rest = Role(rest[1].lower()), rest[2:]
            case "as":
                return _wrong(command, f"A role is one of {', '.join(ROLES)}")
            case "on" if len(rest) > 1:
                end = next((i for i, word in enumerate(rest) if i > 1 and word.lower() == "as"), len(rest))
                side, rest = " ".join(rest[1:end]), rest[end:]
            case _:
                return _wrong(command, f"I don't understand “{' '.join(rest)}”")
    network = Network.MATRIX if address.startswith("@") else Network.EMAIL
    return AddPerson(name, network, address, role, side)


def _party_remove(words: list[str]) -> Command | Misunderstood:
    return RemovePerson(" ".join(words)) if words else _wrong("party remove", "A name is missing")


def _side_add(words: list[str]) -> Command | Misunderstood:
    return AddSide(" ".join(words)) if words else _wrong("side add", "The side needs a name")


def _consent(words: list[str]) -> Command | Misunderstood:
    name, colon, wording = " ".join(words).partition(":")
    if not colon or not name.strip() or not wording.strip():
        return _wrong("consent", "It needs a name, a colon, and what was agreed, when and how")
    return RecordConsent(name.strip(), wording.strip())


def _identity(words: list[str]) -> Command | Misunderstood:
    return ShowIdentity(" ".join(words)) if words else _wrong("identity", "A name is missing")


def _confirm(words: list[str]) -> Command | Misunderstood:
    name, _, fingerprint = " ".join(words).partition(":")
    if not name.strip() or not fingerprint.strip():
        return _wrong("confirm", "It needs a name, a colon, and the fingerprint that !identity shows")
    return ConfirmIdentity(name.strip(), fingerprint.strip())


def _held(words: list[str]) -> Command | Misunderstood:
    return ShowHeld(words[0] if words else None)


def _dead(words: list[str]) -> Command | Misunderstood:
    match [word.lower() for word in words]:
        case []:
            return ShowDead()
        case ["retry" | "discard" as act, item]:
            return ShowDead(act, item)
        case _:
            return _wrong("dead", "Say retry or discard, and the number from the list")


_YES = re.compile(r"yes[ :]+(?P<code>[0-9A-Za-z]{4})", re.IGNORECASE)

_PARSERS: Mapping[str, Callable[[list[str]], Command | Misunderstood]] = {
    "case new": _case_new,
    "case list": lambda _: ListCases(),
    "party add": _party_add,
    "party remove": _party_remove,
    "mediator add": _mediator_add,
    "side add": _side_add,
    "side list": lambda _: ListSides(),
    "side": lambda words: _near_miss(["side", *words]) if words else ListSides(),
    "consent": _consent,
    "identity": _identity,
    "confirm": _confirm,
    "open": lambda _: OpenJoint(),
    "status": lambda _: ShowStatus(),
    "repair": lambda _: Repair(),
    "held": _held,
    "dead": _dead,
    "help": lambda words: Help(" ".join(words) or None),
}
