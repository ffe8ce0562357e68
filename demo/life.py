"""Activity in the demo's data center: the scenes of its story, each at its time, until the demo ends.

Only for vcsim: it powers off and destroys VMs.
"""

import heapq
import random
import threading
import time
from collections.abc import Callable

import structlog

from demo.data_center import FAILURES, DataCenter
from demo.story import Scene, Story

log = structlog.get_logger()

RETRY_SECONDS = 0.5
"""The pause before the story starts again, because vcsim was restarted."""


class Life:
    """The story of *center*, in a thread of its own between `start` and `stop`.

    *random_* chooses the everyday work: a seeded one repeats itself.
    """

    def __init__(
        self,
        center: DataCenter,
        random_: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._center = center
        self._random = random_ or random.Random()  # noqa: S311 - the choice of a VM is not a secret
        self._clock = clock
        self._due: list[tuple[float, int, Scene]] = []
        """(time, number, scene): a heap of the scenes, the next one first."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, name="life", daemon=True)

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way, or within half a second."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(0.5)

    def step(self) -> float:
        """Do the next step of a scene, and return the time of the step after it, by the clock.

        Raises one of `FAILURES` if vcsim was restarted. The next step begins the story in the new vcsim.
        """
        try:
            if not self._due:
                self._center.build()
                scenes = Story(self._center, self._random).scenes()
                self._due = [(self._clock(), number, scene) for number, scene in enumerate(scenes)]
            due, number, scene = heapq.heappop(self._due)
            heapq.heappush(self._due, (due + next(scene), number, scene))
            return self._due[0][0]
        except FAILURES:
            self._due = []
            self._center.forget_sessions()
            raise

    def _live(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            try:
                pause = max(0.0, self.step() - self._clock())
            except FAILURES as error:
                log.debug("step failed", error=type(error).__name__, reason=str(error))
                pause = RETRY_SECONDS
