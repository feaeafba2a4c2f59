"""What a homeserver's refusal means to whoever asked."""

from typing import Final

NO_ANSWER: Final = 0
"""The status of a request that was sent, or may have been sent, and never answered."""


class MatrixError(Exception):
    """A call that failed. Its text names the endpoint and the code, never an id, a body or a token (I7).

    `transient` says whether the same call may succeed later unchanged; `retry_after_ms` is the homeserver's wish.
    Codes: Matrix spec, client-server API, 4.
    """

    def __init__(
        self, endpoint: str, errcode: str, status: int, *, transient: bool, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(f"{endpoint}: {errcode} ({status or 'no answer'})")
        self.endpoint = endpoint
        self.errcode = errcode
        self.status = status
        self.transient = transient
        self.retry_after_ms = retry_after_ms


class MediaError(Exception):
    """A file that cannot be had or trusted, whoever asks again."""


class MediaTooLargeError(MediaError):
    """The file is larger than we are willing to hold."""


class MediaTamperedError(MediaError):
    """The file is not the one its sender encrypted: its SHA-256 or its key description is wrong."""
