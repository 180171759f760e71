"""What the second thread of the pipeline does with a blob: compress it, look inside it, or let it pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bundler.content.compression import Compressor, start_compressor
from bundler.content.probe import LayerProbe
from bundler.model.limits import Limits
from bundler.model.media_types import layer_compression
from bundler.packing.pipeline.jobs import Job

#: So many buffers of a layer may wait for the probe: then the next layer is read, and looked at, beside its end.
_AHEAD = 32


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
            return cls(probe=LayerProbe(compression, limits, ahead=_AHEAD))
        return cls()

    def finish(self) -> Iterator[bytes]:
        """End it; return what the compressor still holds. What is found inside the probe tells later."""
        if self.probe is not None:
            self.probe.end()
        return self.compressor.flush() if self.compressor is not None else iter(())

    def abandon(self) -> None:
        """Release the probe's thread."""
        if self.probe is not None:
            self.probe.abandon()
