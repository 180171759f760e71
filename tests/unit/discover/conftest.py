"""The command, for tests of what it finds."""

from tests.unit.cli.conftest import airbundle as airbundle
