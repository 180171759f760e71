"""Requests for what is missing of a bundle, and answers to them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.api.packing import Applications, planned
from bundler.api.registry_access import DEFAULT_ACCESS, AccessOptions
from bundler.bundle.choice import ALL_FILES, Choice
from bundler.bundle.manifest import parse_bundle_manifest
from bundler.bundle.opening import read_small
from bundler.bundle.reader import Bundle
from bundler.bundle.requests.answering import AnswerReport, answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.asking import Lack, find_lack, make_request
from bundler.bundle.requests.qr_code import TOO_LARGE, QrCode, check_for_library, make_qr_code
from bundler.bundle.requests.request_file import BlockRequest, parse_request, read_request, write_request
from bundler.content.files import disk_errors, partial, write_file
from bundler.errors import AirbundleError, DiskError, NotFound, OutputExists
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.packing.answering.answering import answer_by_packing, options_like
from bundler.packing.planning.options import PackOptions
from bundler.progress import SILENT, Progress


@dataclass(frozen=True)
class RequestReport:
    """What became of a request.

    Attributes:
        lack: what the bundle lacks.
        request: what is asked for; ``None`` if that is nothing: then no file was written.
        size: bytes of the file.
        qr_code: its picture, where one was wanted and the file is not too large for one.
        picture: where that lies.
    """

    lack: Lack
    request: BlockRequest | None = None
    size: int = 0
    qr_code: QrCode | None = None
    picture: Path | None = None


def request(
    bundle: Bundle,
    output: Path | str,
    *,
    everything: bool = False,
    qr: bool = False,
    choice: Choice = ALL_FILES,
    progress: Progress = SILENT,
) -> RequestReport:
    """Look for what is missing of a bundle, and write a small file that asks for what must come.

    The file names the bundle by its id and holds no other name. What parity can make again is not asked for.

    Args:
        bundle: The open bundle, in one directory or several.
        output: The file; an earlier request there is replaced.
        everything: Ask for all that is missing, whatever parity can do.
        qr: Also write the file as a QR code beside it, named as it and ``.png``, if it has less than 2 KiB.
        choice: What is left out is not asked for.
        progress: Is told the bytes that were looked at.

    Raises:
        OutputExists: something else is there. UsageError: QR codes cannot be made here. NotFound: the directory
            of the file is not there, or the bundle has no such application.
        NotWritable: a part may not be read, or the file not be written. DiskError: the disk refused.
    """
    path = Path(output)
    picture = path.with_name(f"{path.name}.png")
    if qr:
        check_for_library()
    _check_output(path, picture, bundle.limits)
    lack = find_lack(bundle, progress, choice)
    asked = make_request(bundle, lack, everything=everything)
    if asked is None:
        return RequestReport(lack)
    raw = write_request(asked)
    code = make_qr_code(raw) if qr and len(raw) < TOO_LARGE else None
    if code is None:
        # A picture of an earlier request must not lie beside this one.
        with disk_errors(picture):
            picture.unlink(missing_ok=True)
    _write(path, raw)
    if code is not None:
        _write(picture, code.png)
    return RequestReport(lack, asked, len(raw), code, picture if code is not None else None)


def answer(
    bundle: Bundle, request: BlockRequest | Path | str, output: Path | str, *, progress: Progress = SILENT
) -> AnswerReport:
    """Write the blocks that a request asks for into a directory; see :func:`answer_from`.

    Args:
        bundle: The open bundle, whole or not.
        request: The request, or its file.
        output: The directory; new, or with what an earlier run of the same answer left.
        progress: Is told the bytes that were read.

    Raises:
        As :func:`~bundler.bundle.requests.answering.answer_from`; and what is wrong with the request's file.
    """
    wanted = _read(request, bundle.limits)
    return answer_from(bundle, AnswerDestination(Path(output), wanted, bundle.limits), progress)


def answer_from_images(
    applications: Applications,
    request: BlockRequest | Path | str,
    output: Path | str,
    *,
    options: PackOptions | None = None,
    manifest: Path | str | None = None,
    access: AccessOptions = DEFAULT_ACCESS,
    progress: Progress = SILENT,
) -> AnswerReport:
    """Write the blocks that a request asks for, of a bundle that is not there any more but can be packed again.

    The bundle is packed to nowhere but the wanted blocks; see :func:`answer_by_packing`.

    Args:
        applications: For each application the names of its images, as they were packed.
        request: The request, or its file.
        output: The directory; new, or with what an earlier run of the same answer left.
        options: How the bundle was packed. With ``manifest`` only limits and platforms count.
        manifest: The bundle's own bundle.json, if somebody kept it: it holds the options, and the sources are
            read once instead of twice.
        access: How registries are reached.
        progress: Is told the bytes that were read.

    Raises:
        As :func:`~bundler.packing.answering.answering.answer_by_packing` and
        :func:`~bundler.api.packing.planned`; and what is wrong with the request's file or ``manifest``.
    """
    chosen = options or PackOptions()
    wanted = _read(request, chosen.limits)
    table = None
    if manifest is not None:
        raw = read_small(Path(manifest), chosen.limits.bundle_manifest_bytes)
        table = parse_bundle_manifest(raw, chosen.limits)
        wanted.check_against(table)
        chosen = replace(options_like(table, chosen.limits), platforms=chosen.platforms)
    destination = AnswerDestination(Path(output), wanted, chosen.limits)
    with planned(applications, options=chosen, access=access, progress=progress) as plan:
        return answer_by_packing(plan, destination, chosen, manifest=table, progress=progress)


def _read(request: BlockRequest | Path | str, limits: Limits = DEFAULT_LIMITS) -> BlockRequest:
    return request if isinstance(request, BlockRequest) else read_request(Path(request), limits)


def _write(path: Path, raw: bytes) -> None:
    """Write a file, or leave nothing: nobody goes on with the beginning of a request."""
    try:
        write_file(path, raw)
    except DiskError:
        with contextlib.suppress(OSError):
            partial(path).unlink()
        raise


def _check_output(path: Path, picture: Path, limits: Limits) -> None:
    """Refuse to write over what is no request; before hours are spent on reading."""
    with disk_errors(path.parent):
        path.parent.stat()
    try:
        parse_request(read_small(path, limits.bundle_manifest_bytes), limits)
    except NotFound:
        for place in (path, picture):
            if os.path.lexists(place):
                raise OutputExists(f"{place} is there already", advice="Name another file.") from None
    except AirbundleError as error:
        raise OutputExists(
            f"{path} is there already, and is no request: {error}", advice="Name another file."
        ) from error
