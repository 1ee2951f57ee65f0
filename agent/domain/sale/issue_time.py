"""Until when a sale is invoiced: a later invoice is still one, so the cashier gets a hint and no refusal.

Art. 106i ust. 1: by the 15th day of the month after the sale. Art. 106b ust. 3: to a consumer only where he asks for
it, within three months after the end of the month of the sale; the 15th day does not count then (art. 106i ust. 6).
"""

from __future__ import annotations

from datetime import date

ASKED_MONTHS = 3
LAST_DAY = 15


def late_hint(sold_on: date, issued_on: date, *, to_consumer: bool) -> str | None:
    """Return a Polish sentence where the invoice is later than the law wants it, else None. Polish civil days."""
    months = (issued_on.year - sold_on.year) * 12 + issued_on.month - sold_on.month
    if to_consumer:
        if months <= ASKED_MONTHS:
            return None
        return (
            f"Od miesiąca sprzedaży ({sold_on:%m.%Y}) minęły ponad 3 miesiące: sklep nie musiał już wystawiać faktury "
            "na żądanie (art. 106b ust. 3)."
        )
    if months < 1 or (months == 1 and issued_on.day <= LAST_DAY):
        return None
    return (
        f"Faktura jest po terminie: sprzedaż z {sold_on:%d.%m.%Y} należało zafakturować do 15. dnia następnego "
        "miesiąca (art. 106i ust. 1). Powiedz kierownikowi."
    )
