"""What the decoder may be asked for."""

from recognition.media.limits import Limits
from recognition.sandbox.client import Sandbox
from recognition.sandbox.protocol import Request
from recognition.types import Segment, VideoInfo

DECODER = Sandbox("recognition.media.decoder")


class ProbeRequest(Request, kw_only=True, tag=True):
    limits: Limits
    stream: int | None


class PlanRequest(Request, kw_only=True, tag=True):
    info: VideoInfo
    length: float


class SampleRequest(Request, kw_only=True, tag=True):
    info: VideoInfo
    segment: Segment
    every: float


class PhotoRequest(Request, kw_only=True, tag=True):
    max_pixels: int
    max_side: int | None


AnyRequest = ProbeRequest | PlanRequest | SampleRequest | PhotoRequest
