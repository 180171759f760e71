"""The command as a fixture."""

from __future__ import annotations

from tests.e2e.conftest import airbundle as airbundle
