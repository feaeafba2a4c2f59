"""Carl's mailbox: what the service sent him and what he answered, kept as files from one start to the next."""

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal, get_args

from sandbox.mail import MailboxItem, MailSandbox, Stamp, composed

Box = Literal["received", "sent", "forged", "refused"]
_LONG = 3600.0  # seconds between two looks when nothing comes


class NothingToAnswer(Exception):
    """There is no mail yet of the room that is to be answered."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as the page shows it; `forged` was not his, `refused` was not taken. Times in milliseconds."""

    id: str
    box: Box
    room: str
    address: str
    at: int
    text: str


class Mailbox:
    """The mailbox of one address, in a folder of `.eml` files."""

    def __init__(self, address: str, server: MailSandbox, folder: Path) -> None:
        self.address = address
        self._server, self._folder = server, folder
        self._taken = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._files = sorted(folder.glob("*.eml"))
        self._letters = [_letter(file) for file in self._files]

    @property
    def letters(self) -> tuple[Letter, ...]:
        """All mail, oldest first."""
        return tuple(self._letters)

    async def receive(self) -> None:
        """Waits for the next mail of the service, and keeps it."""
        while True:
            try:
                item = await self._server.wait_for(self.address, lambda item: item.number >= self._taken, timeout=_LONG)
            except TimeoutError:
                continue
            self._taken = item.number + 1
            self._keep("received", item.raw)
            return

    async def answer(self, room: str, text: str, stamp: Stamp) -> None:
        """Answers the newest mail of that room as a mail program does, with all of it quoted below.

        Raises NothingToAnswer, or ConnectionError when the service does not listen.
        """
        newest = next((n for n, mail in reversed([*enumerate(self._letters)]) if _is(mail, room)), None)
        if newest is None:
            raise NothingToAnswer(f"Carl has no mail of “{room}” yet")
        letter, raw = self._letters[newest], self._files[newest].read_bytes()
        mail = composed(self.address, letter.address, text, in_reply_to=MailboxItem(newest, self.address, "", raw))
        answers = await self._server.deliver_raw(
            self.address, [letter.address], self._server.stamped(mail, self.address, stamp)
        )
        taken: Box = "sent" if stamp is Stamp.PASS else "forged"
        self._keep(taken if answers[0].startswith("250") else "refused", mail)

    def _keep(self, box: Box, raw: bytes) -> None:
        file = self._folder / f"{len(self._files):05}.{box}.eml"
        file.write_bytes(raw)
        self._files.append(file)
        self._letters.append(_letter(file))


def _is(letter: Letter, room: str) -> bool:
    return letter.box == "received" and letter.room == room


def _letter(file: Path) -> Letter:
    message = message_from_bytes(file.read_bytes(), EmailMessage, policy=default)
    number, name, _ = file.name.split(".")
    box = next(box for box in get_args(Box) if box == name)
    body = message.get_body(("plain",))
    text = "\n".join(str(body.get_content() if isinstance(body, EmailMessage) else "").splitlines())
    return Letter(
        id=number,
        box=box,
        room=str(message["Subject"]).removeprefix("Re: "),
        address=_address(message["Reply-To"] if box == "received" else message["To"]),
        at=int(parsedate_to_datetime(str(message["Date"])).timestamp() * 1000),
        # Of an answer, what its writer wrote: below it the program quoted the whole mail.
        text=text if box == "received" else text.split("\n\nOn ")[0],
    )


def _address(header: object) -> str:
    addresses = getattr(header, "addresses", ())
    return str(addresses[0].addr_spec) if addresses else ""
