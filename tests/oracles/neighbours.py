"""Neighbouring slices by trying all of them."""


def slow_neighbour(numbers: list[int], position: int, offset: int) -> int:
    """Position of the slice nearest to number + offset; of two the one nearer to the slice itself."""
    wanted = numbers[position] + offset
    return min(
        range(len(numbers)),
        key=lambda other: (abs(numbers[other] - wanted), abs(numbers[other] - numbers[position])),
    )
