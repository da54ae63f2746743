"""Where the time goes, by the service's own metrics: the difference of two scrapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Stage:
    """A histogram's growth: how often, and the sum of what was observed."""

    process: str
    name: str
    labels: str
    count: int
    total: float

    @property
    def mean(self) -> float:
        """Of one observation."""
        return self.total / self.count


def stages(before: Mapping[str, str], after: Mapping[str, str]) -> list[Stage]:
    """Every histogram that grew between two scrapes (texts by process), largest total first."""
    first, last = _sums(before), _sums(after)
    found = []
    for key, (count, total) in last.items():
        earlier_count, earlier_total = first.get(key, (0.0, 0.0))
        if count > earlier_count:
            found.append(Stage(*key, round(count - earlier_count), total - earlier_total))
    return sorted(found, key=lambda stage: -stage.total)


def _sums(texts: Mapping[str, str]) -> dict[Key, tuple[float, float]]:
    """Count and sum of each histogram and summary."""
    found: dict[Key, dict[str, float]] = {}
    for process, text in texts.items():
        for family in text_string_to_metric_families(text):
            if family.type not in ("histogram", "summary"):
                continue
            for sample in family.samples:
                name, _, part = sample.name.rpartition("_")
                if part in ("count", "sum"):
                    labels = " ".join(str(value) for value in sample.labels.values())
                    found.setdefault((process, name, labels), {})[part] = sample.value
    return {key: (parts["count"], parts["sum"]) for key, parts in found.items()}
