"""Sugar over banhook's plugin interface: decisions and messages, text that nobody can break out of, and mistakes that
are explained.
"""

from . import block
from .message import (
    Decision,
    bold,
    code,
    date,
    emoji,
    hold,
    italic,
    keep_until,
    link,
    mention,
    mrkdwn,
    post,
    rich,
    skip,
    strike,
)
from .plugin import Checker, Descriptor, Digester, Formatter, description, problem, setting

__all__ = [
    "Checker",
    "Decision",
    "Descriptor",
    "Digester",
    "Formatter",
    "block",
    "bold",
    "code",
    "date",
    "description",
    "emoji",
    "hold",
    "italic",
    "keep_until",
    "link",
    "mention",
    "mrkdwn",
    "post",
    "problem",
    "rich",
    "setting",
    "skip",
    "strike",
]
