"""The web app of `monai-gi app`: images in, contours to look at and to download; nothing leaves the machine.

Gradio, the extra `app`, is imported when the page is built.
"""

from monai_gi.app.request import AUTH_VARIABLE, AppRequest, auth_of
from monai_gi.app.serving import make_app, serve

__all__ = ["AUTH_VARIABLE", "AppRequest", "auth_of", "make_app", "serve"]
