"""Reports add up."""

from __future__ import annotations

from bundler.bundle.copying.report import BadRange, CopyReport


def test_two_reports() -> None:
    bad = BadRange("a.oci.tar", 0, 5, "damaged-block", "0")
    first = CopyReport(1, 2, 5, (bad,), ())
    assert first + CopyReport(10, 20, 30, (), ("b.oci.tar",)) == CopyReport(11, 22, 35, (bad,), ("b.oci.tar",))
    assert CopyReport() + first == first


def test_whole() -> None:
    assert CopyReport(1, 2).is_whole
    assert not CopyReport(1, 2, 3).is_whole
