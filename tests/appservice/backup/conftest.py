"""Databases of every kind, as the storage tests have them."""

from tests.appservice.storage.conftest import *  # noqa: F403 (fixtures)
