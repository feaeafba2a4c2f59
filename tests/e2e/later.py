"""`mediatrix`, hours later: its clock is ahead by as many hours as stand in the file HOURS beside its configuration.

It reads that when it starts and whenever it is sent SIGUSR1. What waits for timers waits as before.
"""

import signal
import sys
from datetime import timedelta
from pathlib import Path

from appservice import cli
from tests.faults.clock import Clock, time_of_ours

HOURS = "hours"


def main() -> int:
    """The command line, whose last argument is the configuration."""
    hours = Path(sys.argv[-1]).with_name(HOURS)

    def look(*_: object) -> None:
        Clock.ahead = timedelta(hours=float(hours.read_text())) if hours.exists() else timedelta()

    with time_of_ours():
        look()
        signal.signal(signal.SIGUSR1, look)
        return cli.main()


if __name__ == "__main__":
    sys.exit(main())
