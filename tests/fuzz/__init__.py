"""The fuzzer: files of every format, altered in ways that leave them nearly right, and what diffrt says of each.

`python -m tests.fuzz --count 50000 --seed 0` runs many; `test_fuzz.py` runs some of each format in the test suite.

An input is known by its number and the seed; only the key of the cache and the date in a journal are others each time.
What is not a finding is an answer, or an InputError with short, printable lines. A finding is

- any other exception, a warning, or a word on standard output or standard error;
- a line with control characters, one that is too long, or what a library says to programmers;
- more than 12 s of processor time of a usual machine (a scene of new kinds is compiled for up to 9 s), or more than
  1 GiB of memory;
- an image with values that are not finite;
- code that the cache gives though its file was altered, or evaluations that a journal never held.

| file | what |
|---|---|
| `trees.py` | alters the tables of a TOML file, and writes them as text |
| `pieces.py` | alters bytes; takes binary formats apart and joins them again, with their lengths and checksums right |
| `corpus.py` | the files to begin with |
| `formats.py` | for each format how to alter a file, and what a user would do with it |
| `pace.py` | how slow this machine is |
| `runner.py` | runs one input within limits and says what was wrong |
"""
