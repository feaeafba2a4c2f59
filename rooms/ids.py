"""Matrix's ids, as the use cases name them. Which they are is only known at run time; nothing here looks into one."""

from __future__ import annotations

from typing import NewType

UserId = NewType("UserId", str)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
