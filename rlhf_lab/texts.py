"""What counts as a text everywhere in the package: a string of whole characters.

JSON and browsers can contain half of a character (a lone surrogate, from an emoji cut in two). Tokenizers, messages and
files cannot, so every entrance refuses it, with the same message. All other characters are kept, even NUL.
"""

from typing import Any


def fault_in(text: Any) -> str:
    """Why a value is not a text, as a sentence without its subject; "" if it is one."""
    if not isinstance(text, str):
        return f"must be a string; got {type(text).__name__}."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return (
            f"has half of a character (a lone surrogate, {text[error.start]!r}, at position {error.start}), which no"
            ' tokenizer takes. Mend it with text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").'
        )
    return ""
