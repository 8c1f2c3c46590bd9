"""The papers, in the order of the page, and the claims of each."""

import _sc_vae

PAPERS = {"SC-VAE": _sc_vae.CLAIMS}
