"""
Raw messages to served prices in this process: python -m tests.performance.whole_flow --messages N.

Making the messages is not counted; taking them, all four stages, and storing is. Prints JSON: messages, cpu_s, peak_mib.
"""

import json
import os
import resource
import time

from cyclopts import App

from entrypoints.container import Container
from entrypoints.refinery import Refinery
from entrypoints.settings import Settings
from tests.performance.workload import raw_messages

app = App(help=__doc__, result_action="return_value")


@app.default
def measure(messages: int) -> None:
    """
    Run all stages over this many distinct messages.

    Args:
        messages: How many.
    """
    container = Container(settings=Settings.from_environment(os.environ))
    stages = (container.normalize, container.enrich, container.aggregate, container.project)
    loops = [container.loop(stage=stage(), group=stage().name) for stage in stages]
    refinery = Refinery(loops, container.settings().max_batch_size)
    refinery.start()
    spent_s = 0.0
    for events in raw_messages(messages):
        begun_s = time.process_time()
        container.log().append(events)
        refinery.keep_up()
        spent_s += time.process_time() - begun_s
    begun_s = time.process_time()
    refinery.drain()
    refinery.finish()
    spent_s += time.process_time() - begun_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"messages": messages, "cpu_s": round(spent_s, 3), "peak_mib": round(peak_mib, 1)}))


if __name__ == "__main__":
    app()
