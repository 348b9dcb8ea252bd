"""The facts of Tidewick, from `data/world/town.ini`: who sells what where, where things are, when things happen, who
mends what, and what helps. Conversations are written from these facts, and answers are checked against them.
"""

from .tables import single, tables

_FACTS = tables("town")
SHOPS = _FACTS["shops"]  # shop -> (street, shopkeeper, ware, ware, ...)
LANDMARKS = single(_FACTS["landmarks"])  # landmark -> where it is
HOURS = single(_FACTS["hours"])  # what happens (after "When does") -> the hour
MENDERS = single(_FACTS["menders"])  # what is broken (after "my") -> who mends it
ADVICE = _FACTS["advice"]  # a goal (after "How do I") -> what helps
HARMS = _FACTS["harms"]  # harmful deed (after "How do I") -> (why not, what a bad helper says, ...)
