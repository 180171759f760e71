"""Answers a request by packing the bundle again, to the same bytes, to nowhere but its answer."""

from __future__ import annotations

from collections.abc import Callable

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.requests.answering import AnswerReport
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.bundle.requests.block_ranges import NO_BLOCKS, BlockAt
from bundler.content.compression import Encoder
from bundler.errors import NotReproducible, OutputExists, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.packing.answering.capture import BlockCapture
from bundler.packing.answering.outline import ArchiveOutline
from bundler.packing.pack_run import PackRun
from bundler.packing.planning.estimate import estimate
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan
from bundler.packing.resume.identity import described_options, differences_from
from bundler.packing.writing.archive_check import ArchiveCheck
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.packing.writing.rehearsal import ArchiveRehearsal
from bundler.progress import SILENT, Progress

#: So many of the things that differ are said.
_MOST_SAID = 5


def answer_by_packing(
    plan: PackPlan,
    destination: AnswerDestination,
    options: PackOptions,
    *,
    manifest: BundleManifest | None = None,
    progress: Progress = SILENT,
) -> AnswerReport:
    """Pack a plan to nowhere, and keep the blocks of a request, if it is the bundle that the request is for.

    Without the bundle's table of contents all sources are read twice: what compresses to how many bytes is known
    only afterwards, and where a block begins depends on that. With it they are read once.

    Args:
        plan: What the bundle was made of; its sources must give their contents once more.
        destination: Of the request; it is released at the end.
        options: How the bundle was made.
        manifest: The bundle's table of contents.
        progress: Is told what goes on; counts the bytes read.

    Raises:
        UsageError: the request, the table, or the plan and options are not of one bundle, or the request is for
            blocks that the bundle of the table does not have.
        NotReproducible: the pack gives another bundle, or other bytes. Nothing of it is kept.
        OutputExists: the directory holds something else, or what is there could not be kept.
        AirbundleError: a source or the disk failed.
    """
    if manifest is not None:
        _check(manifest, plan, destination, options)
    try:
        destination.prepare()
        if (there := destination.finished(manifest)) is not None:
            return AnswerReport.of_finished(there)
        if manifest is None and destination.has_table():
            raise OutputExists(
                f"{destination.path} holds an answer that is not whole, and could not be kept",
                advice="Name another directory, or give the bundle's own bundle.json as --manifest.",
            )
        outline = manifest or _outline(plan, options, progress)
        _check_blocks(outline, plan, destination, options)
        return _capture(plan, destination, options, outline, progress, is_known=manifest is not None)
    finally:
        destination.release()


def options_like(manifest: BundleManifest, limits: Limits = DEFAULT_LIMITS) -> PackOptions:
    """Return the options that a bundle was packed with, as its table of contents shows them.

    Raises:
        UsageError: it was compressed by a library of another version, or with options that there are no more.
    """
    encoder = next((blob.encoder for blob in manifest.blobs if blob.encoder is not None), None)
    own = Encoder.choose(encoder.algorithm, encoder.level) if encoder is not None else Encoder.choose()
    if encoder is not None and encoder != own:
        raise UsageError(
            f"the bundle was compressed by {encoder.library} {encoder.version}, this is {own.library} "
            f"{own.version}: it makes other bytes",
            advice="Use an installation with that version, or find a copy of the bundle.",
        )
    return PackOptions(
        name=manifest.name,
        version=manifest.version,
        part_bytes=manifest.part_bytes,
        block_bytes=manifest.block_bytes,
        encoder=own,
        limits=limits,
        rename=manifest.rename,
    )


def _check(manifest: BundleManifest, plan: PackPlan, destination: AnswerDestination, options: PackOptions) -> None:
    destination.request.check_against(manifest)
    unlike = differences_from(manifest, plan, options)
    if unlike:
        more = f"; and {len(unlike) - _MOST_SAID} more" if len(unlike) > _MOST_SAID else ""
        raise UsageError(
            "these images and options make another bundle than the one of the manifest: "
            f"{'; '.join(unlike[:_MOST_SAID])}{more}",
            advice="Name the images that were packed then; where a tag has moved, name them by digest.",
        )


def _check_blocks(
    outline: BundleManifest, plan: PackPlan, destination: AnswerDestination, options: PackOptions
) -> None:
    try:
        destination.request.blocks.check_within(outline.parts, "the request")
    except UsageError as error:
        raise NotReproducible(
            f"this pack gives another bundle than the one that the request is for: {error}",
            advice=_advice(plan, options, is_known=False),
        ) from error


def _advice(plan: PackPlan, options: PackOptions, *, is_known: bool) -> str:
    if is_known:
        return (
            "Images and options are those of the manifest, so the layers are others or were compressed otherwise: "
            "use the same sources and the same release, or find a copy of the bundle."
        )
    chosen = [f"{what} {value}" for what, value in described_options(plan, options).items()]
    return (
        f"This pack had {', '.join(chosen)}: give the options and images of the first one, or its bundle.json as "
        "--manifest, which holds the options and says what images differ."
    )


def _outline(plan: PackPlan, options: PackOptions, progress: Progress) -> BundleManifest:
    def make_archive(name: str) -> ArchiveSink:
        return ArchiveOutline(name, options.part_bytes, options.block_bytes)

    return _pack(plan, make_archive, options, progress, "measure")


def _capture(
    plan: PackPlan,
    destination: AnswerDestination,
    options: PackOptions,
    outline: BundleManifest,
    progress: Progress,
    *,
    is_known: bool,
) -> AnswerReport:
    layout = AnswerLayout.of(destination.request.blocks, outline)
    kept = destination.begin(layout, outline if is_known else None)
    wanted: set[BlockAt] = set(layout.blocks) - kept
    capture = BlockCapture(outline, wanted, destination.put)
    kind = ArchiveCheck if is_known else ArchiveRehearsal
    made = outline
    try:
        if wanted or not is_known:
            made = _pack(
                plan, lambda name: kind(name, outline, capture.witness(name)), options, progress, "answer"
            )
        if made.id != destination.request.bundle:
            raise NotReproducible(
                f"the request is for the bundle {destination.request.bundle}, this pack gives {made.id}",
                advice=_advice(plan, options, is_known=is_known),
            )
    except NotReproducible:
        if not kept:
            destination.discard()
        raise
    destination.finish(made, NO_BLOCKS)
    return AnswerReport(layout.blocks.count, layout.size, len(kept), len(wanted))


def _pack(
    plan: PackPlan,
    make_archive: Callable[[str], ArchiveSink],
    options: PackOptions,
    progress: Progress,
    label: str,
) -> BundleManifest:
    with progress.task(label, estimate(plan).input_bytes) as task:
        run = PackRun(plan, make_archive, options, task)
        try:
            return run.run()
        except BaseException:
            run.abandon()
            raise
