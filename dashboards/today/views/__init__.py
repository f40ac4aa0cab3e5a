"""The addresses below /today. Pages are served ready; what people do comes as forms."""

from dashboards.today.views import lists, notifications, page, product
from dashboards.today.views.blueprint import today

__all__ = ["lists", "notifications", "page", "product", "today"]
