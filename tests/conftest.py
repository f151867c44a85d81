"""What every test may use.

Helpers are imported by their full name (`from tests.house import ...`): test files of different
rooms may share a base name, so pytest runs in its importlib mode.
"""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parent.parent
