"""What holds for every test: how hard hypothesis tries, and that only tests in e2e or marked so open sockets.

Unless told otherwise it tries the same few examples each time, so that a change is refused only for what the change
did. HYPOTHESIS_PROFILE=ci tries fifteen times as many, HYPOTHESIS_PROFILE=ci-long a hundred and fifty times, other
ones each time; `--hypothesis-seed` repeats them. No example has a deadline: machines differ.

Sockets are closed by pytest-socket (see addopts in pyproject.toml); `@pytest.mark.enable_socket` opens them.
"""

import os

from hypothesis import HealthCheck, settings

ON_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", ON_ANY_MACHINE, max_examples=20, derandomize=True)
settings.register_profile("ci", ON_ANY_MACHINE, max_examples=300, print_blob=True)
settings.register_profile("ci-long", settings.get_profile("ci"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
