"""What holds for every test: how hard hypothesis tries (HYPOTHESIS_PROFILE=ci: fifteen times as hard), and that only
tests in e2e or marked so open sockets.

Sockets are closed by pytest-socket (see addopts in pyproject.toml); `@pytest.mark.enable_socket` opens them.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=20, deadline=None)
settings.register_profile(
    "ci", max_examples=300, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci-long", settings.get_profile("ci"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
