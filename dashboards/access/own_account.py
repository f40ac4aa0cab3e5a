"""`PUT /api/v1/me/` with the current password. Superset's classes can be imported only once its app exists."""

from __future__ import annotations

from typing import Any

from flask import g
from marshmallow import ValidationError, fields, post_load, validates_schema
from superset.views.users.api import CurrentUserRestApi
from superset.views.users.schemas import CurrentUserPutSchema

from dashboards.access.failed_sign_ins import is_own_password
from dashboards.access.own_password import WRONG


class OwnAccountSchema(CurrentUserPutSchema):
    """What `PUT /api/v1/me/` takes: a new password and the current one. Names are set in `access.yml`."""

    class Meta:
        """Superset's fields that stay as they are."""

        exclude = ("first_name", "last_name")

    current_password = fields.String()

    @validates_schema
    def check_current_password(self, data: dict[str, Any], **_: Any) -> None:
        if "password" in data and not is_own_password(data.get("current_password")):
            raise ValidationError({"current_password": [WRONG]})

    @post_load
    def drop_current_password(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data.pop("current_password", None)
        g.sets_own_password = "password" in data
        return data


def ask_for_current_password() -> None:
    CurrentUserRestApi.current_user_put_schema = OwnAccountSchema()
