"""Figures go between the marks of the page; the rest stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark.documents import NoPlaceForFigures, figures, with_figures

ROOT = Path(__file__).parents[3]
BEGIN = "<!-- figures: written by scripts/bench --write-docs -->"
END = "<!-- end of figures -->"


def test_only_what_is_between_the_marks_changes() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\n## Notes\n"
    assert with_figures(page, "new\n") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\n## Notes\n"


def test_the_same_figures_change_nothing() -> None:
    page = with_figures(f"{BEGIN}{END}", "new")
    assert with_figures(page, "new") == page


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_a_page_without_both_marks_is_not_touched(page: str) -> None:
    with pytest.raises(NoPlaceForFigures):
        with_figures(page, "new")


def test_the_page_of_this_project_has_its_marks() -> None:
    assert "| new |" in with_figures((ROOT / "docs/performance.md").read_text(encoding="utf-8"), "| new |")


def test_the_machine_stands_above_the_table() -> None:
    assert (
        figures("| table |\n", {"memory": "1 GiB"}, {"runs": "3"}) == "- memory: 1 GiB\n- runs: 3\n\n| table |\n"
    )
