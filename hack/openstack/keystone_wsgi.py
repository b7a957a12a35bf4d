"""Keystone, with threads that do not see each other's tokens.

Its middleware, of which there is one, keeps the token of a request on itself between
fetching and using it. In Zed another thread's request may replace it meanwhile, and a user
is judged by the roles of somebody else.
"""

import threading

from keystone.server.flask.request_processing.middleware import auth_context
from keystone.server.wsgi import initialize_public_application

of_thread = threading.local()

auth_context.AuthContextMiddleware.token = property(
    lambda self: getattr(of_thread, "token", None),
    lambda self, token: setattr(of_thread, "token", token),
)

application = initialize_public_application()
