"""Memory and threads over the number of received instances, as an SVG of two panels."""

from collections.abc import Iterable, Sequence

WIDTH, HEIGHT, LEFT, TOP, PANEL, GAP = 720, 380, 60, 34, 130, 50
STYLE = "font-family='sans-serif' font-size='12' fill='#333'"


def draw(points: Sequence[tuple[int, float, int]]) -> str:
    """Return a picture of (instances, resident megabytes, threads)."""
    instances = [point[0] for point in points]
    panels = (
        ("Resident memory in MB", [point[1] for point in points], "#1f6f8b"),
        ("Threads", [float(point[2]) for point in points], "#b5542a"),
    )
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}'>"]
    parts.append(f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#fff'/>")
    for index, (title, values, colour) in enumerate(panels):
        parts += _panel(TOP + index * (PANEL + GAP), title, instances, values, colour)
    parts.append(
        f"<text x='{WIDTH // 2}' y='{HEIGHT - 8}' text-anchor='middle' {STYLE}>Instances received</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(top: int, title: str, instances: list[int], values: list[float], colour: str) -> Iterable[str]:
    last, highest = max(instances[-1], 1), _round_up(max(values))
    width = WIDTH - LEFT - 20
    yield f"<text x='{LEFT}' y='{top - 8}' {STYLE} font-weight='bold'>{title}</text>"
    for share in (0, 0.5, 1):
        y = top + PANEL * (1 - share)
        yield f"<line x1='{LEFT}' y1='{y:.0f}' x2='{LEFT + width}' y2='{y:.0f}' stroke='#ddd'/>"
        yield f"<text x='{LEFT - 6}' y='{y + 4:.0f}' text-anchor='end' {STYLE}>{highest * share:g}</text>"
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + width * share
        y = top + PANEL + 16
        yield f"<text x='{x:.0f}' y='{y}' text-anchor='middle' {STYLE}>{last * share:,.0f}</text>"
    line = " ".join(
        f"{LEFT + width * number / last:.1f},{top + PANEL * (1 - value / highest):.1f}"
        for number, value in zip(instances, values, strict=True)
    )
    yield f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.5'/>"


def _round_up(value: float) -> float:
    step = 100 if value > 50 else 10
    return (value // step + 1) * step
