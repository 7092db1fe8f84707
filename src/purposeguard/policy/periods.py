"""Periods of retention, in calendar years, months and days."""

import calendar
import re
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta

from purposeguard.policy.document import RetentionEntry

_PARTS = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long data is kept, counted from where, and the clauses that say so."""

    months: int
    days: int
    counted_from: str
    """`collection` or `contract_end`."""
    clauses: tuple[str, ...]

    @classmethod
    def of(cls, entry: RetentionEntry) -> "Retention":
        """Return what an entry of a policy says. Its form has been checked."""
        found = _PARTS.fullmatch(entry.period)
        years, months, days = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        return cls(12 * years + months, days, entry.counted_from, entry.clauses)

    def last_day(self, start: date) -> date:
        """Return the last day on which data may be kept: years and months first, then days.

        A day that its month lacks is that month's last one, as ISO 8601 leaves to agreement.
        """
        years, month = divmod(start.month - 1 + self.months, 12)
        year = start.year + years
        if year > MAXYEAR:
            return date.max
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        try:
            return date(year, month + 1, day) + timedelta(days=self.days)
        except OverflowError:
            return date.max
