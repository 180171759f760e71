"""What push says: the names that it goes by, what became of each image, and the mapping from old to new names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.api.naming.choosing import NamingWishes, choose_naming, idle_rules
from bundler.api.naming.mapping import Form, checked_form, mapping_of, mapping_text
from bundler.api.transfer_report import TransferReport
from bundler.bundle.reader import Bundle
from bundler.cli.console import Console
from bundler.cli.preview_view import finish_preview
from bundler.cli.text import show
from bundler.cli.transfer_view import finish_transfer, pushed_image
from bundler.content.files import disk_errors, write_file
from bundler.errors import UsageError
from bundler.model.naming.naming import Naming
from bundler.model.reference import Reference

_STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class PushView:
    """Shows the results of a push, and writes the mapping where that was asked for."""

    console: Console
    mapping: str | None
    form: Form

    @classmethod
    def prepare(cls, console: Console, mapping: str | None, form: str) -> PushView:
        """Check early what would be a pity to find out after a long push.

        Args:
            console: Of the command.
            mapping: A file, ``-`` for stdout, ``None`` for nowhere.
            form: Of the mapping.

        Raises:
            UsageError: there is no such form, or stdout is to hold two documents.
            NotFound: there is no directory for the file.
        """
        chosen = checked_form(form)
        if mapping == _STANDARD_OUTPUT and console.as_json:
            raise UsageError("stdout cannot hold the mapping and --json", advice="Name a file for the mapping.")
        if mapping is not None and mapping != _STANDARD_OUTPUT:
            path = Path(mapping)
            with disk_errors(path.parent):
                path.parent.stat()
            if path.is_dir():
                raise UsageError(f"{path} is a directory", advice="Name a file for the mapping.")
        return cls(console, mapping, chosen)

    def naming(self, wishes: NamingWishes, bundle: Bundle) -> Naming:
        """Return the naming that the command line asks for; say if it is the bundle's, or if a rule is idle.

        Raises:
            UsageError: a rule makes no sense. NotFound: a file is not there.
        """
        naming = choose_naming(wishes, bundle.manifest.rename, bundle.limits)
        if naming.rules and naming.rules is bundle.manifest.rename:
            self.console.warn("images are named by the rename rules of the bundle; --no-rename leaves them out")
        if wishes.regexes or wishes.prefixes:
            for rule in idle_rules(wishes, list(map(Reference.parse, _held(bundle))), bundle.limits):
                self.console.warn(f"no image of the bundle matches the rename rule {rule}")
        return naming

    def finish(self, report: TransferReport, bundle: Bundle, *, dry_run: bool = False) -> int:
        """Show what became, or would become, of each image of the bundle; return the exit status.

        Raises:
            DiskError: the mapping cannot be written.
        """
        console = self.console
        if self.mapping is not None:
            mapping = mapping_of(report.results)
            mapped = {str(one.reference) for one in mapping}
            others = [Reference.parse(reference) for reference in _held(bundle) if reference not in mapped]
            text = mapping_text(mapping, self.form, others)
            if self.mapping == _STANDARD_OUTPUT:
                show(text.rstrip("\n"))
                console = Console(as_json=False, quiet=True, verbose=console.verbose)
            else:
                write_file(Path(self.mapping), text.encode())
        return finish_preview(console, report) if dry_run else finish_transfer(console, report, pushed_image)


def _held(bundle: Bundle) -> list[str]:
    """Return the references of a bundle's images, each once."""
    return list(dict.fromkeys(image.reference for _, image in bundle.images()))
