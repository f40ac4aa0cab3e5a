"""Changing one's own password: every way to do so asks for the current one."""

from __future__ import annotations

from typing import Any

from flask import flash, g, request
from flask_appbuilder.forms import DynamicForm
from flask_appbuilder.security.forms import ResetPasswordForm
from flask_appbuilder.security.views import ResetMyPasswordView, ResetPasswordView
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from superset.security.manager import SupersetUserApi
from wtforms import PasswordField
from wtforms.validators import DataRequired

from dashboards.access.failed_sign_ins import is_own_password

WRONG = "The current password is wrong or missing. The password stays as it was."
ELSEWHERE = "Change your own password at /resetmypassword/form. It asks for the current one."


class OwnPasswordForm(ResetPasswordForm):
    """A new password, and the one that it replaces."""

    current_password = PasswordField(lazy_gettext("Current Password"), validators=[DataRequired()])


class OwnPasswordView(ResetMyPasswordView):
    """The page on which people change their own password."""

    class_permission_name = "ResetMyPasswordView"
    form = OwnPasswordForm

    def form_post(self, form: DynamicForm) -> None:
        if is_own_password(form.current_password.data):
            super().form_post(form)
        else:
            flash(WRONG, "danger")


class OthersPasswordView(ResetPasswordView):
    """The page on which an administrator sets the password of somebody else."""

    class_permission_name = "ResetPasswordView"

    def form_post(self, form: DynamicForm) -> None:
        if request.args.get("pk") == str(g.user.id):
            flash(ELSEWHERE, "danger")
        else:
            super().form_post(form)


class OthersAccountApi(SupersetUserApi):
    """The API by which an administrator changes the accounts of others."""

    def pre_update(self, item: Any, data: dict[str, Any]) -> None:
        if data.get("password") and item.id == g.user.id:
            self.datamodel.session.rollback()
            raise ValidationError({"password": [ELSEWHERE]})
        super().pre_update(item, data)
