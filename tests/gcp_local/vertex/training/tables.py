"""Tables that tests train on: the same rows each time, with something to learn in them."""

from __future__ import annotations

import csv
import io
import random

COLUMNS = ("age", "plan", "since", "note", "weight", "part", "churned", "spend")


def customers(rows: int = 1000, *, seed: int = 1) -> list[dict[str, str]]:
    """Customers; mostly the young on the basic plan leave, and the older spend more."""
    source = random.Random(seed)
    found = []
    for number in range(rows):
        age, plan = source.randint(18, 80), source.choice(("basic", "plus", "gold"))
        leaves = (age < 45) == (plan == "basic")
        if source.random() < 0.08:
            leaves = not leaves
        found.append(
            {
                "age": str(age) if number % 50 else "",
                "plan": plan,
                "since": f"20{10 + number % 15}-{1 + number % 12:02}-01T00:00:00Z",
                "note": "called about the bill " + ("again today" if number % 3 else "and left"),
                "weight": "1" if number % 10 else "2.5",
                "part": ("TRAIN", "TRAIN", "TRAIN", "VALIDATE", "TEST")[number % 5],
                "churned": "yes" if leaves else "no",
                "spend": f"{10 + age * 3 + source.gauss(0, 5):.2f}",
            }
        )
    return found


def as_csv(rows: list[dict[str, str]], *, header: bool = True) -> str:
    """Write rows as a CSV file."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
