"""`python -m diffrt`."""

from diffrt.commands import main

main()
