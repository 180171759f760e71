"""What a copy came to: its counts add up, also after parts were tried again; and whom the rest hits is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.bundle.copying.outcome import CopyOutcome, DestinationOutcome, after_retry
from bundler.bundle.copying.report import BadRange, CopyReport
from bundler.bundle.manifest import BundleManifest, Part
from bundler.errors import ExitStatus
from tests.builders import ERP, KIB, SHOP_TOOLS, TwoApplications


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> BundleManifest:
    return TwoApplications().pack(tmp_path_factory.mktemp("bundle"))


def part(number: int, size: int) -> Part:
    return Part(file=f"p{number}", size=size, sha256="", xxh3_128="", blocks=())


#: Parts; of each what was kept, copied and bad; those that are tried again; and of each what is bad then.
Retry = tuple[list[Part], list[tuple[int, int, int]], list[Part], list[int]]


@st.composite
def retries(draw: st.DrawFn) -> Retry:
    parts = [part(number, draw(st.integers(1, 100))) for number in range(draw(st.integers(1, 6)))]
    first = []
    for one in parts:
        bad = draw(st.integers(0, one.size))
        kept = draw(st.integers(0, one.size - bad))
        first.append((kept, one.size - bad - kept, bad))
    unsettled = [number for number, (_, _, bad) in enumerate(first) if bad]
    again = [number for number in unsettled if draw(st.booleans())]
    return parts, first, [parts[number] for number in again], [draw(st.integers(0, first[n][2])) for n in again]


def bad_at(file: str, length: int) -> list[BadRange]:
    return [BadRange(file, 0, length, "damaged-block", "x")] if length else []


@given(retries())
def test_counts_add_up_after_a_retry(
    given: Retry,
) -> None:
    parts, first, retried, bad_again = given
    before = CopyReport(
        bytes_copied=sum(copied for _, copied, _ in first),
        bytes_kept=sum(kept for kept, _, _ in first),
        bytes_bad=sum(bad for _, _, bad in first),
        bad=tuple(found for one, (_, _, bad) in zip(parts, first, strict=True) for found in bad_at(one.file, bad)),
    )
    bad_before = {one.file: bad for one, (_, _, bad) in zip(parts, first, strict=True)}
    again = CopyReport(
        bytes_copied=sum(bad_before[one.file] - bad for one, bad in zip(retried, bad_again, strict=True)),
        bytes_kept=sum(one.size - bad_before[one.file] for one in retried),
        bytes_bad=sum(bad_again),
        bad=tuple(found for one, bad in zip(retried, bad_again, strict=True) for found in bad_at(one.file, bad)),
    )
    after = after_retry(before, parts, retried, again)
    assert after.bytes_kept + after.bytes_copied + after.bytes_bad == sum(one.size for one in parts)
    assert after.bytes_bad == sum(bad.length for bad in after.bad)
    assert [bad.file for bad in after.bad] == sorted(bad.file for bad in after.bad)


def test_missing_parts_that_came_are_missing_no_more() -> None:
    parts = [part(0, 10), part(1, 20), part(2, 30)]
    before = CopyReport(bytes_copied=10, bytes_bad=50, missing=("p1", "p2"))
    after = after_retry(before, parts, [parts[2]], CopyReport(bytes_copied=30))
    assert after == CopyReport(bytes_copied=40, bytes_bad=20, missing=("p1",))


class TestOutcome:
    def outcome(self, manifest: BundleManifest, report: CopyReport, *waiting: Part) -> CopyOutcome:
        destination = DestinationOutcome(Path("x"), tuple(manifest.parts), report)
        return CopyOutcome(manifest, (destination,), waiting)

    def test_done(self, manifest: BundleManifest) -> None:
        done = self.outcome(manifest, CopyReport(bytes_copied=5))
        assert (done.exit_status, done.is_complete, done.findings) == (ExitStatus.DONE, True, ())

    def test_damage_weighs_more_than_absence(self, manifest: BundleManifest) -> None:
        shared = BadRange("shared.oci.tar.002", 0, 27 * KIB, "unreadable", "a bad sector")
        report = CopyReport(bytes_bad=42 * KIB, bad=(shared,), missing=("erp.oci.tar.002",))
        outcome = self.outcome(manifest, report)
        assert outcome.exit_status is ExitStatus.DAMAGED
        hit, missing = outcome.findings
        assert hit.applications == ("erp", "shop")
        assert hit.images == (ERP, SHOP_TOOLS)
        assert (missing.check, missing.code, missing.applications) == (3, "missing", ("erp",))

    def test_what_waits_is_missing(self, manifest: BundleManifest) -> None:
        last = manifest.parts[-1]
        outcome = self.outcome(manifest, CopyReport(), last)
        assert outcome.exit_status is ExitStatus.INCOMPLETE
        assert outcome.missing == (last.file,)
        assert not outcome.is_complete
