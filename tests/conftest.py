"""What every test shares: no network, no learner's files touched, a simulated rater in the person's place.

The variables are set when pytest starts, before any notebook's kernel, so that kernels inherit them.
"""

import os
import tempfile

HOME = tempfile.TemporaryDirectory(prefix="rlhf-lab-tests-")

os.environ["RLHF_LAB_HOME"] = HOME.name
os.environ["RLHF_LAB_RATER"] = "simulated"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
