"""Feedback in the formats of other tools, as plain JSON values. The tools themselves are not needed.

    trl       datasets for TRL's trainers: preference, unpaired, prompt-completion; standard or conversational
    argilla   Argilla's records, all five kinds of question
    arena     Chatbot Arena's battles
    hh        hh-rlhf's chosen and rejected transcripts
    rows      what all imports share; `read_rows` and `write_rows`: one JSON object per line, plain or gzip

`trl` and `hh` convert the examples of `feedback.pairs` and `feedback.examples`. `argilla` and `arena` convert records,
because these formats keep who said what about which model. An error names the file and line of a row, or its index if
it did not come from a file. A warning counts what an import leaves out.
"""
