"""Claims on codes as features: of SC-VAE, LASERS, and Coates and Ng (2011)."""

from _registry import Claim

CODES = "features.methods"
RECIPE = "features_patches.cifar"
CLUSTERS = "claim_patch_clusters.patches"

CLAIMS = [
    Claim(
        name="features-of-codes",
        says="Sparse codes are rich representations for other tasks.",
        place="SC-VAE, abstract and Section 1",
        printed="no classification, segmentation alone",
        here="a linear classifier of CIFAR-10 (JPEG) gets "
        f"{{{CODES}.sparsecodingvae.accuracy}} % right from pooled codes, "
        f"{{{CODES}.pixels.accuracy}} from pixels, {{{CODES}.pca-of-patches.accuracy}} "
        "from PCA of patches, "
        f"{{{CODES}.dictionary-learning-omp-scikit-learn.accuracy}} from "
        "scikit-learn's dictionary. To hold, above all, in part above pixels.",
        holds=lambda r: all(
            r.above(f"{CODES}.sparsecodingvae.accuracy", f"{CODES}.{other}.accuracy")
            for other in (
                "pixels",
                "pca-of-patches",
                "dictionary-learning-omp-scikit-learn",
            )
        ),
        in_part=lambda r: r.above(
            f"{CODES}.sparsecodingvae.accuracy", f"{CODES}.pixels.accuracy"
        ),
    ),
    Claim(
        name="features-atoms-and-indices",
        says="Several atoms of a site say more than one index of a codebook.",
        place="LASERS, Sections 1 and 3; of reconstruction there",
        printed="no classification",
        here="the same classifier: `DictionaryLearningVAE` "
        f"{{{CODES}.dictionarylearningvae.accuracy}} %, `VQVAE` "
        f"{{{CODES}.vqvae.accuracy}} %",
        holds=lambda r: r.above(
            f"{CODES}.dictionarylearningvae.accuracy", f"{CODES}.vqvae.accuracy"
        ),
    ),
    Claim(
        name="features-of-whitened-patches",
        says="Soft-thresholded codes of whitened, overlapping patches, pooled with "
        "signs apart, make a linear classifier good.",
        place="Coates and Ng 2011; the goal of 65 % in five CPU-minutes is our own",
        printed="79.6 % of CIFAR-10 from 50,000 images and 4,000 atoms",
        here=f"{{{RECIPE}.patchencoder.accuracy}} % from 10,000 images and 800 atoms "
        f"in {{{RECIPE}.patchencoder.cpu_minutes}} CPU-minutes",
        holds=lambda r: (
            r(f"{RECIPE}.patchencoder.accuracy") >= 65
            and r(f"{RECIPE}.patchencoder.cpu_minutes") <= 5
        ),
    ),
    Claim(
        name="features-overlap",
        says="Patches need not overlap.",
        place="LASERS, footnote 1; behind a convolutional encoder, for reconstruction",
        printed="nothing",
        here="of features, without an encoder: "
        f"{{{RECIPE}.512-atoms-every-second-place.accuracy}} % with overlap, "
        f"{{{RECIPE}.the-same-no-overlap.accuracy}} without. Whether an encoder makes "
        "up for it was not tested.",
        holds=lambda r: (
            not r.above(
                f"{RECIPE}.512-atoms-every-second-place.accuracy",
                f"{RECIPE}.the-same-no-overlap.accuracy",
            )
        ),
    ),
    Claim(
        name="features-clusters-alike",
        says="Clusters of code vectors hold patches of similar patterns.",
        place="SC-VAE, Section 5.3, Figures 7, 19 and 20",
        printed="pictures",
        here="8x8 patches of CIFAR-10 (JPEG), mean correlation of two patches of a "
        f"cluster: `SparseCodingVAE` {{{CLUSTERS}.sparsecodingvae.likeness}}, pixels "
        f"{{{CLUSTERS}.pixels.likeness}}, PCA {{{CLUSTERS}.pca.likeness}}. To hold, "
        "above k-means of both, in part above 0.1.",
        holds=lambda r: all(
            r.above(f"{CLUSTERS}.sparsecodingvae.likeness", f"{CLUSTERS}.{x}.likeness")
            for x in ("pixels", "pca")
        ),
        in_part=lambda r: r(f"{CLUSTERS}.sparsecodingvae.likeness") > 0.1,
    ),
    Claim(
        name="features-clusters-pure",
        says="Clusters of code vectors are purer in the classes of images than those "
        "of pixels and of principal components.",
        place="SC-VAE, Sections 5.3 and 5.4: codes are interpretable and distinct",
        printed="nothing",
        here="purity of clusters of patches: `SparseCodingVAE` "
        f"{{{CLUSTERS}.sparsecodingvae.purity}} %, pixels "
        f"{{{CLUSTERS}.pixels.purity}}, PCA {{{CLUSTERS}.pca.purity}}, `PatchEncoder` "
        f"{{{CLUSTERS}.patchencoder.purity}}. To hold, `SparseCodingVAE` above pixels "
        "and PCA by two deviations, in part `PatchEncoder`.",
        holds=lambda r: _purer(r, "sparsecodingvae"),
        in_part=lambda r: _purer(r, "patchencoder"),
    ),
    Claim(
        name="features-clusters-at-full-size",
        says="Clusters of codes hold patches of similar patterns, at 256x256 pixels on "
        "FFHQ and ImageNet.",
        place="SC-VAE, Section 5.3, Figures 7, 19 and 20",
        printed="pictures of some of 1,000 clusters",
        cannot="Neither data set is at hand.",
    ),
]


def _purer(r, codes):
    """Return whether clusters of codes are purer than those of pixels and of PCA."""
    return all(
        r.above(f"{CLUSTERS}.{codes}.purity", f"{CLUSTERS}.{x}.purity")
        for x in ("pixels", "pca")
    )
