"""Where the diagrams of estimators in notebooks link to."""

import os


class DocLinkMixin:
    """Links the HTML diagram of an estimator to its page in skdae's documentation.

    The address of the site is the environment variable ``SKDAE_DOCS``. Without it there is no link.
    It must come before `BaseEstimator` among the bases.
    """

    _doc_link_module = "skdae"

    @property
    def _doc_link_template(self):
        # The site has no public address yet; once it has, it becomes the default here.
        site = os.environ.get("SKDAE_DOCS", "").rstrip("/")
        # skdae.noise.additive is private to skdae.noise, and skdae._autoencoder to skdae.
        public = [part for part in type(self).__module__.split(".")[:2] if part[0] != "_"]
        page = ".".join([*public, type(self).__name__])
        return f"{site}/api/{page}.html" if site else ""
