"""What a child of the confined process can be told to do, by name.

Apart from `tasks`, which does it: that takes 20 MB of libraries which a stranger's file may break, and they are loaded
in the confined process alone.
"""

from typing import Final

SANITISE: Final = "sanitise"
DRAW: Final = "draw"
COVER: Final = "cover"
STAMP: Final = "stamp"
