"""What counts as a text, for all that keeps, shows or tokenises one: a string of whole characters.

JSON and browsers can hold half of a character (a lone surrogate, as when an emoji is cut in two). No tokenizer, no
message and no file takes it, so it is refused at every door, in these words. Any other character is kept, NUL included.
"""

from typing import Any


def fault_in(text: Any) -> str:
    """What keeps a value from being a text, as the words that follow its name in a sentence; "" for a text."""
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
