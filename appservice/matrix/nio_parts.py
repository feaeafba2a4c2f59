"""What we use of nio at each start: the paths and bodies of the API.

nio itself would load its client, its events, its schemas, HTTP/2 and an encryption of its own: 10 MB without that
encryption, 30 with it, and we use none of them.
"""

from appservice.parts import parts_of

with parts_of("nio"):
    from nio.api import Api

__all__ = ["Api"]
