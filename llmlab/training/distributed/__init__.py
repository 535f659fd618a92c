"""One training loop over one process or many: data parallel, fully sharded, tensor parallel.

The loop asks a strategy at the few places where processes would have to act together. That of a
single process is the trivial one; the others take their processes from ``torchrun``. PyTorch's
distributed machinery is imported only where there are several.
"""

from llmlab.training.distributed.strategy import PARALLEL, SingleProcess, choose_parallel

__all__ = ["PARALLEL", "SingleProcess", "choose_parallel"]
