"""What we use of nio, imported without its own encryption.

nio loads that as soon as it finds vodozemac, and with it an object mapper and a store: 20 MB that nobody uses, for the
Olm machines are ours. So it doesn't find vodozemac while it is imported.
"""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules  # None there says: that can't be imported
_found = _modules.pop("vodozemac", ...)
_modules["vodozemac"] = None
try:
    from nio.api import Api
    from nio.client.async_client import AsyncClient, AsyncClientConfig
    from nio.crypto.attachments import decrypt_attachment, encrypt_attachment
    from nio.exceptions import EncryptionError
finally:
    del _modules["vodozemac"]
    if _found is not ...:
        _modules["vodozemac"] = _found

__all__ = ["Api", "AsyncClient", "AsyncClientConfig", "EncryptionError", "decrypt_attachment", "encrypt_attachment"]
