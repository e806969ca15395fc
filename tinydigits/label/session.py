"""A session of labelling: which pictures are left, in which order, and what was decided."""

from collections.abc import Callable, Mapping
from itertools import islice

from tinydigits.label import journal
from tinydigits.label.copies import Copies
from tinydigits.label.journal import Decision, Label
from tinydigits.label.scans import Scan
from tinydigits.label.suggestions import Suggestion

Suggest = Callable[[Scan], Suggestion]


class OutdatedError(Exception):
    """Something was decided that the one who decides now has not seen."""


class Session:
    """The pictures ``scans``, by their keys, and their decisions, which are kept in ``copies``.

    ``left`` are the keys of pictures without a decision, in the order in which they are asked.
    ``decided`` are the others with their labels, the last decision last.
    """

    def __init__(self, scans: Mapping[str, Scan], copies: Copies, suggest: Suggest) -> None:
        self.scans = scans
        self.copies = copies
        self.decided = _decided(copies, scans)
        self.left = [key for key in scans if key not in self.decided]
        self._suggest = suggest
        self._suggestions = dict[str, Suggestion]()
        journal.begin(copies.folder)

    def suggestion(self, key: str) -> Suggestion:
        """Return what the net says of a picture, which is read once.

        Raises:
            InputError: the file is not a readable picture.
        """
        if key not in self._suggestions:
            self._suggestions[key] = self._suggest(self.scans[key])
        return self._suggestions[key]

    def leave_out(self, key: str) -> None:
        """Do not ask about a picture in this session."""
        self.left.remove(key)

    def sort(self) -> None:
        """Put the pictures that are left in the order of the net's doubt, the most doubtful first.

        Raises:
            InputError: a picture cannot be read.
        """
        self.left.sort(key=lambda key: self.suggestion(key).probability)

    def recent(self, count: int) -> list[str]:
        """Return the keys of the last decisions, the newest first."""
        return list(islice(reversed(self.decided), count))

    def count(self, label: Label) -> int:
        """Return how many pictures have a label."""
        return list(self.decided.values()).count(label)

    def decide(self, key: str, label: Label | None, was: Label | None) -> None:
        """Decide about a picture, or take a decision back with None; then it is asked next.

        ``was`` is the decision until now, as the one who decides knows it. At return, the copy and
        the journal are on the disk.

        Raises:
            OutdatedError: there is another decision, or no such picture.
            InputError: the copy or the journal cannot be written.
        """
        if key not in self.scans or self.decided.get(key) != was:
            raise OutdatedError
        scan = self.scans[key]
        decision = self._decision(scan, label)
        if isinstance(label, int):
            self.copies.put(scan, label)
        else:
            self.copies.remove(scan)
        journal.append(self.copies.folder, decision)
        self._keep(key, label)

    def postpone(self, key: str) -> None:
        """Ask about a picture after all others.

        Raises:
            OutdatedError: the picture is not among those that are left.
        """
        if key not in self.left:
            raise OutdatedError
        self.left.remove(key)
        self.left.append(key)

    def _decision(self, scan: Scan, label: Label | None) -> Decision:
        said = self.suggestion(scan.key).answer
        told = (said.digit, round(said.probability, 4)) if said else (None, None)
        return Decision(journal.now(), scan.key, scan.name, label, *told)

    def _keep(self, key: str, label: Label | None) -> None:
        self.decided.pop(key, None)
        if key in self.left:
            self.left.remove(key)
        if label is None:
            self.left.insert(0, key)
        else:
            self.decided[key] = label


def _decided(copies: Copies, scans: Mapping[str, Scan]) -> dict[str, Label]:
    """Return the decisions of earlier sessions about these pictures, in their order.

    The copies say what is labelled, the journal in which order, and what is no digit.
    """
    told = dict[str, Label | None]()
    for decision in journal.read(copies.folder):
        told.pop(decision.key, None)
        told[decision.key] = decision.label
    labels = copies.labels()
    found: dict[str, Label] = {key: "none" for key, label in told.items() if label == "none"}
    found |= labels
    in_order = [*sorted(labels.keys() - told.keys()), *told]
    return {key: found[key] for key in in_order if key in found and key in scans}
