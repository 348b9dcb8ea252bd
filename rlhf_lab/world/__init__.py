"""The tiny world: the harbour town of Tidewick, whose texts a small language model can learn in minutes.

Four kinds of text are generated from grammars (reviews, conversations, translations, stories with a summary), good and
bad mixed; scorers read any text back; tastes and simulated raters judge reviews by these scorers.
"""

from .corpus import generate_completion, generate_document, generate_prompt, load_corpus, load_prompts
from .documents import SPLITS, TEXT_KINDS, Document, kind_of, split_of
from .faults import FAULTS
from .scorers import KIND_SCORERS, SCORERS, harmful_request, well_formed
from .simulated_raters import SimulatedRater
from .tastes import TASTES, Taste, passes_floor
