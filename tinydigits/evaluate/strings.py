"""How much of a text is read: whole texts, and digits by edit distance."""


def distance(one: str, other: str) -> int:
    """Return the fewest characters to change, add or leave out to make one text the other.

    Levenshtein 1966, by dynamic programming.
    """
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        before, row = row, [number]
        for place, wanted in enumerate(other):
            changed = before[place] + (character != wanted)
            row.append(min(before[place + 1] + 1, row[-1] + 1, changed))
    return row[-1]


def digits_right(read: str, expected: str) -> int:
    """Return how many of the expected digits are read: their number less the edit distance.

    At least 0: more wrong, missing and invented digits than there are digits count as none right.
    Line feeds are no digits and do not count.
    """
    one, other = read.replace("\n", ""), expected.replace("\n", "")
    return max(0, len(other) - distance(one, other))
