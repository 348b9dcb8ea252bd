"""Feedback in the forms that other tools read and write. Plain JSON values; no tool is needed to make them.

    trl       datasets for TRL's trainers: preference, unpaired, prompt-completion; standard or conversational
    argilla   Argilla's records, all five kinds of question
    arena     Chatbot Arena's battles
    hh        hh-rlhf's chosen and rejected transcripts
    rows      what all imports share; `read_rows` and `write_rows`: one JSON object a line, plain or gzip

`trl` and `hh` exchange the examples of `feedback.pairs` and `feedback.examples`; `argilla` and `arena` exchange
records, because these two keep who said what about which model. An
error names the file and the line where the rows are from a file, else the place in the list. A warning counts what an
import leaves out.
"""
