"""LLM Lab: trainable language models behind an interactive course book.

Data flows one way through the package, and imports never point backwards::

    data -> models -> training -> inference, alignment -> analysis -> display, exercises

Importing ``llmlab`` itself imports nothing heavy; import the part you need, for example
``from llmlab.models import GPT, GPTConfig``.

One legend of shapes serves the whole book:

====== ============================ ====== ============================
letter meaning                      letter meaning
====== ============================ ====== ============================
B      batch                        G      key-value heads
T      time (tokens)                F      hidden width (feed-forward)
S      time of the keys             V      vocabulary
D      model width                  E      experts
H      heads                        L      layers
K      head width (D / H)
====== ============================ ====== ============================
"""

import time

__version__ = "0.1.0"

# When this process first imported the package: a chapter states what it cost.
started = time.monotonic()
