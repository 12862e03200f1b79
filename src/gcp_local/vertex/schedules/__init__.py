"""Vertex AI's schedules: when a pipeline runs, and that it really does.

cron        a cron expression with its time zone, and when it fires next
timetable   pure: what is to be done about a schedule at a moment
service     the RPCs
runner      the thread that starts what is due
"""

from gcp_local.vertex.schedules.runner import ScheduleRunner
from gcp_local.vertex.schedules.service import ScheduleService

__all__ = ["ScheduleRunner", "ScheduleService"]
