"""Outside formats: one small pure translator each, bytes and headers in, statements out.

An outside body may have fields we do not know; its authenticated bytes are always kept, and what no translator
understands is recorded as `intake.unmapped`. To add a format, write its module and name it in
`api.intake.TRANSLATORS`.
"""

from api.intake import cdevents, github
from api.intake.translation import Fact, Mapped, Translation, Unmapped

TRANSLATORS = {"github": github.translate, "cdevents": cdevents.translate}

__all__ = ["TRANSLATORS", "Fact", "Mapped", "Translation", "Unmapped"]
