"""The scheduler: when an ask is sent to Claude, and whether again."""

from core.claude.scheduler.attempts import Send
from core.claude.scheduler.scheduler import Scheduled, Scheduler
from core.claude.scheduler.stats import Counters, Paused, SchedulerStats, Waiting
from core.claude.scheduler.supply import Headroom

__all__ = ["Counters", "Headroom", "Paused", "Scheduled", "Scheduler", "SchedulerStats", "Send", "Waiting"]
