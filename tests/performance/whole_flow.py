"""
Raw messages to served prices in this process: python -m tests.performance.whole_flow --messages N.

Making the messages is not counted, and no time passes for the stages meanwhile; taking them, all four stages, and
storing is. Prints JSON: messages, cpu_s, peak_mib.
"""

import json
import os
import resource
import time

import attrs
from cyclopts import App
from dependency_injector import providers

from adapters.memory.clock import SystemClock
from entrypoints.container import Container
from entrypoints.refinery import Refinery
from entrypoints.settings import Settings
from tests.performance.workload import raw_messages

app = App(help=__doc__, result_action="return_value")


@attrs.define
class RunningClock(SystemClock):
    """Monotonic time that passes while the flow runs, and not while its messages are made."""

    ran_s: float = 0.0
    running_since_s: float | None = None

    def monotonic_s(self) -> float:
        """Seconds the flow has run."""
        running_s = 0.0 if self.running_since_s is None else time.monotonic() - self.running_since_s
        return self.ran_s + running_s

    def start(self) -> None:
        """Let time pass."""
        self.running_since_s = time.monotonic()

    def stop(self) -> None:
        """Let it stand."""
        self.ran_s, self.running_since_s = self.monotonic_s(), None


@app.default
def measure(messages: int) -> None:
    """
    Run all stages over this many distinct messages.

    Args:
        messages: How many.
    """
    container, clock, spent_s = Container(settings=Settings.from_environment(os.environ)), RunningClock(), 0.0
    container.clock.override(providers.Object(clock))
    stages = (container.normalize, container.enrich, container.aggregate, container.project)
    loops = [container.loop(stage=stage(), group=stage().name) for stage in stages]
    refinery = Refinery(loops, container.settings().max_batch_size)
    refinery.start()
    for events in raw_messages(messages):
        begun_s = time.process_time()
        clock.start()
        container.log().append(events)
        refinery.keep_up()
        clock.stop()
        spent_s += time.process_time() - begun_s
    begun_s = time.process_time()
    refinery.drain()
    refinery.finish()
    spent_s += time.process_time() - begun_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"messages": messages, "cpu_s": round(spent_s, 3), "peak_mib": round(peak_mib, 1)}))


if __name__ == "__main__":
    app()
