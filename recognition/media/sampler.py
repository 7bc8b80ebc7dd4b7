"""Pick a picture every few seconds out of the packets of a segment, decoding as few as that takes."""

import math
from collections.abc import Iterator
from typing import Any

from recognition.media.clock import DEFAULT_FPS
from recognition.media.container import ALL_PICTURES, REFERENCES_ONLY, VideoFile
from recognition.types import Segment, VideoInfo

NEAR_FACTOR = 1.25  # key frames up to this times `every` apart are close enough to decode nothing else
MOMENT = 0.001  # seconds: times within it are one, since they may have been stored rounded
MAX_HELD_PACKETS = 5000  # while waiting for a near key frame; more come only where times are senseless


class Sampler:
    """Picks the pictures of one segment out of the packets that begin with the key frame at or before its start.

    A group is a key frame and what follows up to the next one. Where that is near, only the key frame counts; where it
    is far, the group is decoded. Each is decoded on its own, so that it does not matter where the reading began. Where
    key frames are no whole pictures, all that is read is one group.
    """

    def __init__(self, video: VideoFile, info: VideoInfo, segment: Segment, every: float) -> None:
        self.video, self.segment, self.every = video, segment, every
        self.has_whole_key_frames = not info.preroll
        self.counts_pictures, self.picture_seconds = info.counts_pictures, 1 / (info.fps or DEFAULT_FPS)
        self.key = 0.0  # time of the present group's key frame
        self.decoded_pictures = 0  # of the present group
        self.latest: tuple[float, Any] | None = None  # the picture of a far group that waits for the next one's time
        self.was_reached = self.was_tried = self.was_decoded = False  # any packet of the segment
        needs_all = info.counts_pictures or every < 2 * self.picture_seconds
        video.limit_decoding(ALL_PICTURES if needs_all else REFERENCES_ONLY)

    @property
    def found_nothing(self) -> bool:
        return not self.was_reached or (self.was_tried and not self.was_decoded)

    def pictures(self, timed_packets: Iterator[tuple[float, Any]]) -> Iterator[tuple[float, Any]]:
        group: list[tuple[float, Any]] = []  # the packets of a group that may yet be near
        is_far = False
        for time, packet in timed_packets:
            end = time + float((packet.duration or 0) * self.video.stream.time_base)
            self.was_reached = self.was_reached or (end > self.segment.start and time < self.segment.end)
            if packet.is_keyframe and (self.has_whole_key_frames or not (group or is_far)):
                yield from self._close(group, is_far, time)
                if time >= self.segment.end - MOMENT:
                    return
                self.key, group, is_far, self.decoded_pictures = time, [(time, packet)], False, 0
            elif is_far:
                yield from self._decode_far(time, packet)
                if self.latest is not None and self.latest[0] >= self.segment.end - MOMENT:
                    return
            elif group:
                group.append((time, packet))
                if time - self.key > NEAR_FACTOR * self.every or len(group) > MAX_HELD_PACKETS:
                    is_far = True
                    yield from self._decode_near(math.inf, None)
                    for held in group:
                        yield from self._decode_far(*held)
        yield from self._close(group, is_far, math.inf)

    def _close(self, group: list[tuple[float, Any]], is_far: bool, following: float) -> Iterator[tuple[float, Any]]:
        """What is left of a group when the next key frame's time, `following`, is known; after the last one, all that
        is left."""
        if is_far:
            yield from self._decode_far(math.inf, None)
            if self.latest is not None and self._takes(self.latest[0], following):
                yield self.latest
            self.latest = None
        elif group and self._takes(self.key, following):
            yield from self._decode_near(*group[0])
        if following >= self.segment.end - MOMENT and not is_far:
            yield from self._decode_near(math.inf, None)

    def _decode_near(self, time: float, packet: Any) -> Iterator[tuple[float, Any]]:
        yield from self._decode(time, packet)
        if self.counts_pictures and packet is not None:
            yield from self._decode(math.inf, None)  # a picture that came out with the next group would get its time

    def _decode_far(self, time: float, packet: Any) -> Iterator[tuple[float, Any]]:
        for shown_at, picture in self._decode(time, packet):
            if shown_at < (self.latest[0] if self.latest else self.key):
                # It leads an open group of pictures and builds on the group before, or it is an AVI, whose times are
                # guessed and jump.
                continue
            if self.latest is not None and self._takes(self.latest[0], shown_at):
                yield self.latest
            self.latest = (shown_at, picture)

    def _decode(self, time: float, packet: Any) -> list[tuple[float, Any]]:
        timed = []
        for picture in self.video.decode(packet):
            shown_at = self.key + self.decoded_pictures * self.picture_seconds
            if not self.counts_pictures:
                shown_at = self.video.raw_time(picture) or 0.0
            self.decoded_pictures += 1
            timed.append((shown_at, picture))
        self.was_tried = self.was_tried or (packet is not None and self._holds(time))
        self.was_decoded = self.was_decoded or any(self._holds(shown_at) for shown_at, _picture in timed)
        return timed

    def _holds(self, time: float) -> bool:
        return self.segment.start - MOMENT <= time < self.segment.end - MOMENT

    def _takes(self, time: float, following: float) -> bool:
        return self._holds(time) and (math.isinf(following) or self._cell(time) != self._cell(following))

    def _cell(self, time: float) -> int:
        return math.floor(time / self.every + 0.5)
