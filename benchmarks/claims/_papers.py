"""The papers, in the order of the page, and the claims of each."""

import _closed_loop
import _features
import _lasers
import _lecture
import _sc_vae
import _segmentation
import _ssc_vae

PAPERS = {
    "SC-VAE": _sc_vae.CLAIMS,
    "SC-VAE, segmentation": _segmentation.CLAIMS,
    "SSC-VAE": _ssc_vae.CLAIMS,
    "LASERS": _lasers.CLAIMS,
    "Closed-loop transcription": _closed_loop.CLAIMS,
    "VAEs": _lecture.CLAIMS,
    "Priors of sparse codes": _lecture.PRIORS,
    "Codes as features": _features.CLAIMS,
}
