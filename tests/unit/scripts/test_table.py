"""Ratios, goals, and the table."""

from __future__ import annotations

import json

import pytest
from benchmark.measuring import Usage
from benchmark.table import Row, Skipped, documents, markdown, one_line, times

MIB = 1 << 20


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row("w", "p", 2.0, 10.0, goal=5), 5.0, True),
        (Row("w", "p", 2.0, 9.9, goal=5), 4.95, False),
        (Row("w", "p", 95, 100, "MB", 0.95, at_most=True), 0.95, True),
        (Row("w", "p", 96, 100, "MB", 0.95, at_most=True), 0.96, False),
        (Row("w", "p", 2.0, 10.0), 5.0, None),
        (Row("w", "p", 0.0, 10.0, goal=5), float("inf"), True),
    ],
)
def test_ratio_and_goal(row: Row, ratio: float, met: bool | None) -> None:
    assert (row.ratio, row.met) == (ratio, met)


def test_a_row_shows_what_both_used() -> None:
    row = times("pack", "a | b", Usage(2, 3, 100 * MIB, 1.5), Usage(0.5, 1, 20 * MIB, 2.5), 4, "why")
    line = markdown([row]).splitlines()[2]
    assert line == (
        "| pack | a \\| b | 2.00 s | 0.500 s | 0.25 | ≥ 4 | **no** | 3.00 / 1.00 | 1.5 / 2.5 | 100 / 20 | why |"
    )


def test_servers_that_did_nothing_are_left_out() -> None:
    line = markdown([times("verify", "p", Usage(2, 3, MIB), Usage(4, 1, MIB), None)]).splitlines()[2]
    assert line == "| verify | p | 2.00 s | 4.00 s | 2.00 |  |  | 3.00 / 1.00 |  | 1 / 1 |  |"


def test_sizes_have_no_times() -> None:
    line = markdown([Row("size", "p", 90, 100, "MB", 0.95, at_most=True)]).splitlines()[2]
    assert line == "| size | p | 90.0 MB | 100.0 MB | 0.90 | ≤ 0.95 | yes |  |  |  |  |"


def test_every_line_has_the_cells_of_the_head() -> None:
    rows = [times("w", "p", Usage(1, 1, 1), Usage(1, 1, 1), 1), Row("w", "p", 1, 1, "MB")]
    head, *lines = markdown(rows).splitlines()
    assert {line.count("|") for line in lines} == {head.count("|")}


def test_what_was_not_measured_is_said_below() -> None:
    text = markdown([Skipped("pack again", "no such option"), Row("w", "p", 1, 1)])
    assert text.endswith("\n\nNot measured:\n\n- pack again: no such option\n")


def test_json_has_all_that_the_table_has() -> None:
    rows: list[Row | Skipped] = [times("w", "p", Usage(2, 3, 4), Usage(4, 1, 2), 3), Skipped("x", "why")]
    row, skipped = json.loads(json.dumps(documents(rows)))
    assert (row["ratio"], row["met"], row["ours_usage"]["wall"]) == (2.0, False, 2)
    assert skipped == {"work": "x", "reason": "why"}


def test_a_line_says_what_came_out() -> None:
    assert one_line(Row("w", "p", 2, 6, goal=2)) == "w / p: 2.00 s / 6.00 s, ratio 3.00, goal ≥ 2 yes"
    assert one_line(Row("w", "p", 2, 6)) == "w / p: 2.00 s / 6.00 s, ratio 3.00, goal none"
    assert one_line(Skipped("w", "why")) == "w: why"
