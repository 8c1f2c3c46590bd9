"""Every number that the foreground is found with, and where it comes from.

No number was fitted to masks. ``SOURCES`` has a line for each, of one of three kinds:

* ``"rule"``: what a rule gives that sees photos only;
* ``"literature: ..."``: what the named paper has;
* ``"chosen on tuning photos of ECSSD"``: one of a few round values that were compared
  on 100 photos with their masks (``benchmarks/segmentation/study.py``). The photos of
  ECSSD on which results are reported had no part in it.
"""

CHOSEN = "chosen on tuning photos of ECSSD"
STANDARDIZED = (
    "rule: over all sites of photos, without masks, by study.py --standardize"
)

# Sites between which all paths are measured.
MAX_CUE_SITES = 400

# Cues. Distances at which colours (CIE Lab) and textures count as alike, and the colour
# difference that is as long on a path as a texture difference of 1.
LOOK_COLOR_SCALE = 8.0
LOOK_TEXTURE_SCALE = 0.6
PATH_COLOR_SCALE = 10.0
# Share of the sites' rows and columns, on each side, that count as the border for the
# look of it, and the share of a look on the border below which it is none.
BORDER_SHARE = 1 / 16
BORDER_FLOOR = 0.02
# Mean and standard deviation of each cue over all sites of many photos.
CUE_MEANS = {"look": 0.42, "enclosure": 0.863, "center": -0.1665, "warmth": -1.12}
CUE_DEVIATIONS = {
    "look": 1.147,
    "enclosure": 1.357,
    "center": 0.1052,
    "warmth": 12.86,
}
# Log-odds of an object where all cues have their mean: objects are the smaller part.
PRIOR_LOG_ODDS = -1.5

# Saliency of Zhu et al. on sites.
GEODESIC_SCALE = 14.0
CONNECTIVITY_SCALE = 1.5
CONTRAST_COLOR_SCALE = 10.0
CONTRAST_REACH = 0.3
SMOOTHNESS_FLOOR = 0.03

# Refinement on sites: passes, weight of the mixtures' log-odds (neighbours are not
# independent, so less than 1), least variance of a cluster, scale of colour edges, and
# weight of smoothness against the cues.
N_REFINEMENTS = 2
SITE_MIXTURE_WEIGHT = 0.35
SITE_MIN_VARIANCE = 10.0
SITE_EDGE_SCALE = 5.0
SITE_SMOOTHNESS = 2.0

# Edges on pixels: saliency below and above which a pixel keeps its side, and the weight
# with which it does; Gaussians for each side, their least variance, the weight of their
# log-odds; scale of colour edges, weight of smoothness, and its share across edges.
SURE_OUTSIDE = 0.25
SURE_INSIDE = 0.75
SURE_WEIGHT = 20.0
N_COLORS = 5
PIXEL_MIXTURE_WEIGHT = 0.5
PIXEL_MIN_VARIANCE = 4.0
PIXEL_EDGE_SCALE = 5.0
PIXEL_SMOOTHNESS = 15.0
PIXEL_SMOOTHNESS_FLOOR = 0.003

# Confidence: difference in colour from which two sides differ, and thresholds that are
# compared.
SIDE_CONTRAST = 4.0
N_THRESHOLDS = 19

SOURCES = {
    "MAX_CUE_SITES": "literature: Zhu et al. 2014 work on a few hundred superpixels",
    "LOOK_COLOR_SCALE": CHOSEN,
    "LOOK_TEXTURE_SCALE": CHOSEN,
    "PATH_COLOR_SCALE": CHOSEN,
    "BORDER_SHARE": CHOSEN,
    "BORDER_FLOOR": CHOSEN,
    "CUE_MEANS": STANDARDIZED,
    "CUE_DEVIATIONS": STANDARDIZED,
    "PRIOR_LOG_ODDS": CHOSEN,
    "GEODESIC_SCALE": CHOSEN,
    "CONNECTIVITY_SCALE": CHOSEN,
    "CONTRAST_COLOR_SCALE": "literature: Zhu et al. 2014, Eq. 10",
    "CONTRAST_REACH": CHOSEN,
    "SMOOTHNESS_FLOOR": CHOSEN,
    "N_REFINEMENTS": CHOSEN,
    "SITE_MIXTURE_WEIGHT": CHOSEN,
    "SITE_MIN_VARIANCE": CHOSEN,
    "SITE_EDGE_SCALE": CHOSEN,
    "SITE_SMOOTHNESS": CHOSEN,
    "SURE_OUTSIDE": CHOSEN,
    "SURE_INSIDE": CHOSEN,
    "SURE_WEIGHT": CHOSEN,
    "N_COLORS": "literature: Rother et al. 2004 have five Gaussians for each side",
    "PIXEL_MIXTURE_WEIGHT": CHOSEN,
    "PIXEL_MIN_VARIANCE": CHOSEN,
    "PIXEL_EDGE_SCALE": CHOSEN,
    "PIXEL_SMOOTHNESS": CHOSEN,
    "PIXEL_SMOOTHNESS_FLOOR": CHOSEN,
    "SIDE_CONTRAST": CHOSEN,
    "N_THRESHOLDS": "rule: one for each twentieth of the way from 0 to 1",
}
