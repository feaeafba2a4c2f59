"""Carl at his mail program: what he gets, what he answers, and what must have come of it."""

from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from sandbox.browser import confirms_mailbox, pin_in
from sandbox.mail import MailboxItem, Stamp, composed
from sandbox.seen import SeenEvent
from sandbox.stage import Place, Stage

NAME: Final = "Carl"
ADDRESS: Final = "carl@example.org"


@dataclass(slots=True)
class Correspondent:
    """Carl. Every method raises StoryDiffers."""

    stage: Stage
    _expected: set[int] = field(default_factory=set)

    @property
    def mailbox(self) -> tuple[MailboxItem, ...]:
        """All mail he ever got from the service."""
        return self.stage.world.mail.mailbox(ADDRESS)

    @property
    def unexpected(self) -> list[MailboxItem]:
        """Mails that the story does not have."""
        return [mail for mail in self.mailbox if mail.number not in self._expected]

    async def is_mailed(self, place: Place, *fragments: str) -> MailboxItem:
        """A new mail of that room has these words; it comes from the one address of that room."""
        stage = self.stage

        def fits(mail: MailboxItem) -> bool:
            words = _words(mail)
            return (
                mail.number not in self._expected and mail.subject == place.name and all(f in words for f in fragments)
            )

        with stage.expecting(f"a mail of {place.name} with {', '.join(f'“{f}”' for f in fragments)}"):
            try:
                mail = await stage.world.mail.wait_for(ADDRESS, fits, timeout=stage.patience)
            except TimeoutError:
                raise TimeoutError("\n".join(map(_words, self.unexpected)) or "no mail") from None
        self._expected.add(mail.number)
        place.mailed = place.mailed or mail.reply_address
        stage.require(f"it comes from {place.mailed}", mail.reply_address == place.mailed, mail.reply_address)
        return mail

    async def gets_a_link(self) -> MailboxItem:
        """A mail without words: all that he gets before he agrees to more."""
        stage = self.stage
        with stage.expecting("a mail with nothing but a link"):
            mail = await stage.world.mail.wait_for(
                ADDRESS,
                lambda mail: mail.number not in self._expected and not mail.reply_address,
                timeout=stage.patience,
            )
        self._expected.add(mail.number)
        said = mail.text.partition("http")[0]
        stage.require("it names nobody, and no room", not {NAME, "PRIVATE", "1001"} & set(said.split()), said)
        stage.aside(f"{NAME} has a mail with a link, and nothing else in it")
        return mail

    async def confirms(self, mail: MailboxItem, answer: str) -> None:
        """He opens the link of that mail with the PIN that he was told by telephone, says that the mailbox is his, and
        agrees to have the words mailed; `answer` is what the mediator's desk was shown."""
        with self.stage.expecting("the page behind the link takes the PIN"):
            await confirms_mailbox(mail.text, pin_in(answer))
        self.stage.narrate(
            f"{NAME} is told the PIN by telephone. Behind the link he says that the mailbox is his, and that he wants"
            " the words themselves mailed. Whoever the mediator wrote down by mistake could not."
        )

    async def has_it(self, place: Place, *fragments: str) -> None:
        """Like `is_mailed`, told in a line."""
        await self.is_mailed(place, *fragments)
        self.stage.aside(f"{NAME} has it by mail")

    def show(self, mail: MailboxItem, text: str) -> None:
        """A mail as it lies in his mailbox."""
        sender = str(mail.message["From"])
        self.stage.show(f"✉ {NAME}'s mailbox: {sender}", "", text)

    async def answers(
        self, place: Place, words: str, attachment: tuple[str, bytes] | None = None, *, stamp: Stamp = Stamp.PASS
    ) -> None:
        """He answers the newest mail of that room, as his mail program does."""
        stage, address = self.stage, place.mailed or ""
        newest = [mail for mail in self.mailbox if mail.subject == place.name][-1]
        raw = composed(ADDRESS, address, words, in_reply_to=newest)
        files = ""
        if attachment:
            message = message_from_bytes(raw, EmailMessage, policy=SMTP)
            name, data = attachment
            message.add_attachment(data, maintype="text", subtype="csv", filename=name)
            raw, files = message.as_bytes(), f"\n[{name}]"
        writer = NAME if stamp is Stamp.PASS else f"Somebody, as {NAME},"
        stage.show(f"✉ {writer} answers the mail of {place.name} <{address}>", "", f"{words}{files}")
        with stage.expecting("the service takes the mail"):
            answer = await stage.world.mail.deliver_raw(
                ADDRESS, [address], stage.world.mail.stamped(raw, ADDRESS, stamp)
            )
        stage.require("the service takes the mail", answer[0].startswith("250"), answer)

    async def is_heard(self, place: Place, words: str, *, known_as: str = "") -> SeenEvent:
        """Everyone in that room reads exactly his words, and the desk, which may know the room otherwise, is told."""
        stage = self.stage
        heard = [await stage.hears(reader, place, words) for reader in place.readers]
        stage.require("his words and nothing else", {event.body for event in heard} == {words}, heard)
        stage.require("his own ghost speaks", heard[0].sender.startswith("@_mediatrix_"), heard[0].sender)
        stage.count(heard[0], place)
        stage.show(place.title, NAME, words)
        await stage.noticed(f"{NAME} wrote in {known_as or place.name}.")
        return heard[0]


def _words(mail: MailboxItem) -> str:
    """A mail's words on one line, without the marks before what people wrote."""
    return " ".join(line.removeprefix("|").strip() for line in mail.text.splitlines())
