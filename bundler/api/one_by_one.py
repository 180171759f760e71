"""Images of a bundle into a destination, one by one: what can be done is done, and nobody is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from bundler.api.transfer_report import TransferReport, WaitingImage, still_waiting
from bundler.bundle.manifest import Application, Image
from bundler.bundle.merging import merge_images
from bundler.bundle.presence import Presence
from bundler.bundle.reader import Bundle
from bundler.content.images import ConcurrentDestination, ImageDestination, PutResult
from bundler.destinations.workers import run_all
from bundler.errors import (
    AirbundleError,
    DamagedBundle,
    IncompleteBundle,
    Interrupted,
    Unreachable,
    UsageError,
    is_lost,
)
from bundler.model.digest import Digest
from bundler.progress import Progress, Task


def put_images(
    bundle: Bundle,
    selected: Iterable[tuple[Application, Image]],
    open_destination: Callable[[], ImageDestination],
    label: str,
    progress: Progress,
) -> TransferReport:
    """Put each image, several at once where that gains; one that fails stops no other, a lost destination does.

    Images whose parts have not all arrived are left out, as far as names and sizes of files tell before their
    first byte is sent, and else as soon as it shows.

    Raises:
        UsageError: two applications have different images of one name.
    """
    run = _Run(bundle)
    ready = run.sort_out(each_once(selected))
    destination = open_destination()
    try:
        if not (run.is_short and destination.is_one_file):
            with progress.task(label, _bytes_of(bundle, ready)) as task:
                run.put(ready, destination, task)
            ready = []
        if run.is_short and destination.is_one_file:
            # A file of this name would look like all of them, and would be in the way of the next run.
            destination.abort()
            run.give_up([*(result.reference for result in run.results), *(image.reference for image in ready)])
        else:
            destination.finish()
    except BaseException:
        destination.abort()
        raise
    return TransferReport(tuple(run.results), tuple(run.failures), tuple(run.waiting), tuple(run.not_tried))


class _Run:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.results: list[PutResult] = []
        self.failures: list[tuple[str, AirbundleError]] = []
        self.waiting: list[WaitingImage] = []
        self.not_tried: list[str] = []
        self._lost: AirbundleError | None = None

    @property
    def is_short(self) -> bool:
        """Whether an image is known to fail or to wait."""
        return bool(self.failures or self.waiting)

    def sort_out(self, images: Sequence[Image]) -> list[Image]:
        """Return the images of which everything seems to be there."""
        presence, ready = Presence(self._bundle), []
        for image in images:
            obstacles = presence.obstacles(image)
            if obstacles.damaged:
                named = ", ".join(obstacles.damaged)
                self.failures.append((image.reference, DamagedBundle(f"too short or no regular file: {named}")))
            elif obstacles.waiting_for:
                self.waiting.append(WaitingImage(image.reference, obstacles.waiting_for))
            else:
                ready.append(image)
        return ready

    def put(self, images: Sequence[Image], destination: ImageDestination, task: Task) -> None:
        """Put them all, as far as the destination stays there."""
        seen: set[Digest] = set()
        actions = []
        turns = _Turns()
        for number, image in enumerate(images):
            share = _Share(task, _bytes_of(self._bundle, [image], seen))
            seen.update(image.blobs)
            actions.append(partial(self._put_one, image, destination, share, turns.turn(number)))
        if isinstance(destination, ConcurrentDestination):
            outcomes = run_all(actions, destination.images_at_once, destination.stopping)
        else:
            outcomes = [action() for action in actions]
        for image, outcome in zip(images, outcomes, strict=True):
            self._enter(image, outcome)

    def _put_one(
        self, image: Image, destination: ImageDestination, share: _Share, turn: AbstractContextManager[None]
    ) -> PutResult | AirbundleError | None:
        """Put one image; return what became of it, ``None`` if its turn never came."""
        try:
            with turn:
                if self._lost is not None:
                    return None
                outgoing = self._bundle.outgoing(image)
                if isinstance(destination, ConcurrentDestination):
                    destination.announce(outgoing)
            result = destination.put(outgoing, self._bundle, share)
        except Interrupted:
            raise
        except AirbundleError as error:
            if is_lost(error):
                self._lost = error
            else:
                share.complete()
            return error
        share.complete()
        return result

    def _enter(self, image: Image, outcome: PutResult | AirbundleError | None) -> None:
        if isinstance(outcome, PutResult):
            self.results.append(outcome)
        elif isinstance(outcome, IncompleteBundle):
            self.waiting.append(WaitingImage(image.reference, outcome.parts))
        elif outcome is not None:
            self.failures.append((image.reference, outcome))
        else:
            assert self._lost is not None, "nothing else keeps an image from being tried"
            self.failures.append((image.reference, not_tried(self._lost)))
            self.not_tried.append(image.reference)

    def give_up(self, references: Iterable[str]) -> None:
        """Take images that were put, or were ready, for failed: another one keeps the whole from being written."""
        cause = self.failures[0][1] if self.failures else still_waiting(tuple(self.waiting))
        error = type(cause)(f"not written, because another image is not: {cause}", advice=cause.advice)
        self.failures += [(reference, error) for reference in references]
        self.results = []


def not_tried(lost: AirbundleError) -> AirbundleError:
    """Make the error of an image whose turn never came, because another one found the destination gone."""
    return Unreachable(f"not tried, the destination was lost: {lost}", advice=lost.advice)


def each_once(selected: Iterable[tuple[Application, Image]]) -> list[Image]:
    """Return the images without those that an earlier application has too; of those all platforms together.

    Raises:
        UsageError: two applications have different images of one name, which a destination can hold only once.
    """
    images: dict[str, Image] = {}
    for application, image in selected:
        earlier = images.get(image.reference, image)
        if earlier.descriptor.digest != image.descriptor.digest:
            raise UsageError(
                f"{image.reference} is another image in the application {application.name}",
                advice="Name one application with --app.",
            )
        images[image.reference] = merge_images(earlier, image)
    return list(images.values())


def _bytes_of(bundle: Bundle, images: Collection[Image], besides: Collection[Digest] = ()) -> int:
    """Return the bytes of the blobs of some images, each counted once, without those ``besides``."""
    digests = {digest for image in images for digest in image.blobs} - set(besides)
    return sum(bundle.manifest.blob_by_digest[digest].size for digest in digests)


class _Turns:
    """Lets threads pass one after another, in the order of their numbers."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._next = 0

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Wait for all lower numbers, which somebody must have begun; then nobody else is in a turn."""
        with self._moved:
            self._moved.wait_for(lambda: self._next == number)
            try:
                yield
            finally:
                self._next += 1
                self._moved.notify_all()


class _Share:
    """The part of a task that one image accounts for: layers that images share are counted once.

    A destination may have to send a shared layer again, or find it there already; neither moves the task
    beyond what the image brings, and at its end the task stands where it should.
    """

    def __init__(self, task: Task, size: int) -> None:
        self._task = task
        self._left = size
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        with self._lock:
            step = min(count, self._left)
            self._left -= step
        self._task.advance(step)

    def complete(self) -> None:
        self.advance(self._left)

    def describe(self, text: str) -> None:
        self._task.describe(text)

    def expect(self, total: int | None) -> None:
        pass

    def __enter__(self) -> _Share:
        return self

    def __exit__(self, *_: object) -> None:
        pass
