"""Property tests draw the same examples in every run, so that a change is judged by itself.

`pytest --hypothesis-profile=explore` draws others each time.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")
