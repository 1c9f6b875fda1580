"""What the platform does, measured: recorded at the price of an append, folded on a thread of its own."""

from core.monitor.distribution import Distribution
from core.monitor.recorder import Recorder, RecorderStats
from core.monitor.timeline import History
from core.monitor.windows import CounterSnapshot, GaugeSnapshot, MetricsSnapshot, SeriesSnapshot

__all__ = [
    "CounterSnapshot",
    "Distribution",
    "GaugeSnapshot",
    "History",
    "MetricsSnapshot",
    "Recorder",
    "RecorderStats",
    "SeriesSnapshot",
]
