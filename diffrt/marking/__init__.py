"""Marking derivatives that were worked out by hand: claims, verdicts, and what is wrong with a wrong one."""

from diffrt.marking.definitions import Domain
from diffrt.marking.derivation import Derivation
from diffrt.marking.functions import check_gradient, verify
from diffrt.marking.marks import Marked
from diffrt.marking.reading import load_derivation

__all__ = ["Derivation", "Domain", "Marked", "check_gradient", "load_derivation", "verify"]
