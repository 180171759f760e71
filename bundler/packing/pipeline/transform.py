"""What the second thread of the pipeline does with a blob: compress it, look inside it, or let it pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bundler.content.compression import Compressor, start_compressor
from bundler.content.probe import LayerProbe
from bundler.model.limits import Limits
from bundler.model.media_types import layer_compression
from bundler.packing.pipeline.jobs import Job


@dataclass(frozen=True)
class Transform:
    """The treatment of one job; with neither of the two the blob passes as it is."""

    compressor: Compressor | None = None
    probe: LayerProbe | None = None

    @classmethod
    def start(cls, job: Job, workers: int | None, limits: Limits) -> Transform:
        """Begin what the job asks for."""
        if job.encoder is not None and job.is_compressed_here:
            return cls(compressor=start_compressor(job.encoder, workers))
        compression = layer_compression(job.media_type)
        if job.look_inside and compression is not None:
            return cls(probe=LayerProbe(compression, limits))
        return cls()

    def finish(self, job: Job) -> Iterator[bytes]:
        """End it; return what the compressor still holds, and tell the job what was inside.

        Raises:
            DamagedContent: a layer that was taken as it is does not hold what its image says.
        """
        if self.probe is not None:
            job.found_inside(*self.probe.finish())
        return self.compressor.flush() if self.compressor is not None else iter(())

    def abandon(self) -> None:
        """Release the probe's thread; does nothing after ``finish``."""
        if self.probe is not None:
            self.probe.abandon()
