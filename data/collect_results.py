"""One point for each method of lessons 04 to 06d: writes data/results/frontier.json, which lesson 07 draws.

    python data/collect_results.py

Run it after one of the scripts that write data/results/04.json … 06d.json or latency.json. Takes a moment.
"""

from qlib import frontier


def main() -> None:
    points = frontier.collect()
    path = frontier.write_points(points)
    print(f"{path.name}: {len(points)} methods, {sum(point.time is not None for point in points)} with a time")


if __name__ == "__main__":
    main()
