"""Claims of the lecture on VAEs, and of priors of sparse codes."""

from _registry import Claim

L = "claim_lecture."


def _falls(r, column):
    """Return whether a figure falls as beta grows."""
    values = [
        r(f"gaussian.variants.beta-{beta}.{column}") for beta in ("0-1", "1", "4")
    ]
    return values[0] > values[1] > values[2]


def _surer(r, codes):
    """Return whether a classifier is surer of drawn images than of mixed sites."""
    name = f"code_prior.codes.{codes}"
    return r(f"{name}.confidence") > r(f"{name}.confidence_mixed")


CLAIMS = [
    Claim(
        name="lecture-linear-is-pca",
        says="A linear autoencoder has the objective of PCA: gradient descent finds "
        "PCA's subspace.",
        place='slides "Autoencoders"',
        printed="a statement",
        here="from a random start, 8 numbers, three seeds: largest angle between both "
        "subspaces {claim_lecture.angle} degrees, squared error {claim_lecture.excess} "
        "% above PCA's.",
        holds=lambda r: (
            r("claim_lecture.angle") < 2 and r("claim_lecture.excess") < 0.1
        ),
    ),
    Claim(
        name="lecture-another-basis",
        says="Unlike PCA's, its basis need not be orthogonal.",
        place='slides "Autoencoders"',
        printed="a statement",
        here="largest cosine between two columns of the decoder {claim_lecture.cosine} "
        "(0 for PCA).",
        holds=lambda r: r("claim_lecture.cosine") > 0.1,
    ),
    Claim(
        name="lecture-one-number",
        says="With enough parameters a deep autoencoder represents images by one "
        "number, and overfits.",
        place='slides "Autoencoders"',
        printed="a statement",
        here="100 images by one number: {claim_lecture.plain.line.train} dB on them, "
        "{claim_lecture.plain.line.test} held out; PCA with one component "
        "{claim_lecture.plain.pca_line.train} and {claim_lecture.plain.pca_line.test}. "
        "To hold: 3 dB above PCA in training and more than 1 dB lower held out.",
        holds=lambda r: (
            r(L + "plain.line.train") > r(L + "plain.pca_line.train") + 3
            and r(L + "plain.line.train") - r(L + "plain.line.test") > 1
        ),
        in_part=lambda r: (
            r.above(L + "plain.line.train", L + "plain.pca_line.train")
            and r(L + "plain.line.train") - r(L + "plain.line.test") > 1
        ),
    ),
    Claim(
        name="lecture-latent-structure",
        says="Without the divergence the latent space has no structure: what is drawn "
        "in it is worse.",
        place='slides "can we use autoencoders for generating content?" and "VAEs"',
        printed="a statement",
        here="Frechet distance of images drawn from N(0, I) to held-out digits "
        "{claim_lecture.samples.means-no-divergence.distance} without, "
        "{claim_lecture.samples.means-one-level.distance} with. The model starts as "
        "whitened PCA, whose codes have the moments of the prior already.",
        holds=lambda r: r.above(
            L + "samples.means-no-divergence.distance",
            L + "samples.means-one-level.distance",
        ),
        in_part=lambda r: (
            r(L + "samples.means-no-divergence.distance")
            > r(L + "samples.means-one-level.distance")
        ),
    ),
    Claim(
        name="lecture-interpolation",
        says="Interpolating two points of the latent space makes sense.",
        place='slides "Interpolation in latent space"',
        printed="a picture",
        here="halfway between two digits a classifier is sure by "
        "{claim_lecture.samples.halfway-one-level.typical} in the code, "
        "{claim_lecture.samples.fade.typical} in a cross-fade of pixels, "
        "{claim_lecture.samples.real.typical} for real digits; distances "
        "{claim_lecture.samples.halfway-one-level.distance} and "
        "{claim_lecture.samples.fade.distance}.",
        holds=lambda r: (
            r.above(L + "samples.halfway-one-level.typical", L + "samples.fade.typical")
            and r(L + "samples.halfway-one-level.distance")
            < r(L + "samples.fade.distance")
        ),
        in_part=lambda r: (
            r.above(L + "samples.halfway-one-level.typical", L + "samples.fade.typical")
            or r(L + "samples.halfway-one-level.distance")
            < r(L + "samples.fade.distance")
        ),
    ),
    Claim(
        name="lecture-bound",
        says="The loss is a lower bound of the log-evidence.",
        place='slides "Related to evidence lower bound (ELBO)"',
        printed="an inequality",
        here="held-out digits: bound {claim_lecture.bounds.one-level.draws_1} nats, "
        "importance-weighted with 100 draws "
        "{claim_lecture.bounds.one-level.draws_100}; before training, where the "
        "posterior is exact, {claim_lecture.bounds.before-training.draws_1} and "
        "{claim_lecture.bounds.before-training.draws_100}.",
        holds=lambda r: (
            r(L + "bounds.one-level.draws_100") > r(L + "bounds.one-level.draws_1")
            and r.close(
                L + "bounds.before-training.draws_100",
                L + "bounds.before-training.draws_1",
                0.1,
            )
        ),
    ),
    Claim(
        name="lecture-training-raises-bound",
        says="Training by gradient descent raises the bound above the best linear "
        "model's.",
        place='slides "VAE training"',
        printed="a statement",
        here="{claim_lecture.bounds.before-training.draws_1} nats for probabilistic "
        "PCA, {claim_lecture.bounds.one-level.draws_1} after training",
        holds=lambda r: r.above(
            L + "bounds.one-level.draws_1", L + "bounds.before-training.draws_1"
        ),
    ),
    Claim(
        name="lecture-two-levels",
        says="A second level of latents (hierarchical VAE) makes the model better.",
        place='slides "Hierarchical VAEs"',
        printed="the loss",
        here="bounds {claim_lecture.bounds.one-level.draws_1} with one level and "
        "{claim_lecture.bounds.two-levels.draws_1} with two, by importance weighting "
        "{claim_lecture.bounds.one-level.draws_100} and "
        "{claim_lecture.bounds.two-levels.draws_100}.",
        holds=lambda r: r.above(
            L + "bounds.two-levels.draws_100", L + "bounds.one-level.draws_100"
        ),
    ),
    Claim(
        name="lecture-two-levels-loss",
        says="The loss of two levels has one divergence for each.",
        place='slide "Hierarchical VAEs", the loss',
        printed="an equation",
        tests=(
            "tests/bottlenecks/test_gaussian.py::test_two_levels_start_as_one_and_have_both_divergences",
            "tests/estimators/test_gaussian.py::test_terms_of_two_levels_and_the_discrepancy",
        ),
    ),
    Claim(
        name="lecture-noise",
        says="What one usually shows are the means of p(x|z); samples of it have noise "
        "in every pixel.",
        place='slide "VAEs vs. GANs"',
        printed='"individual samples may have salt-and-pepper noise"',
        here="roughness of draws {claim_lecture.samples.draws-one-level.roughness}, of "
        "means {claim_lecture.samples.means-one-level.roughness}, of real digits "
        "{claim_lecture.samples.real.roughness}",
        holds=lambda r: r.above(
            L + "samples.draws-one-level.roughness", L + "samples.real.roughness"
        ),
    ),
    Claim(
        name="lecture-blurry",
        says="Images of a VAE may be blurry.",
        place='slide "VAEs vs. GANs"',
        printed='"images may be blurry"',
        here="the same figures: means are smoother than real digits.",
        holds=lambda r: (
            r(L + "samples.means-one-level.roughness")
            < 0.95 * r(L + "samples.real.roughness")
        ),
        in_part=lambda r: (
            r(L + "samples.means-one-level.roughness") < r(L + "samples.real.roughness")
        ),
    ),
    Claim(
        name="lecture-divergence",
        says="The divergence between the posterior and N(0, I) has a closed form.",
        place='slide "training loss"',
        printed="the loss",
        tests=(
            "tests/bottlenecks/test_gaussian.py::test_the_divergence_is_the_closed_form",
            "tests/bottlenecks/test_gaussian.py::test_the_term_is_the_divergence_times_beta_and_noise",
        ),
    ),
    Claim(
        name="lecture-reparametrisation",
        says="z = g(x) + h(x) * noise has the posterior's distribution and lets "
        "gradients through.",
        place='slides "reparametrization trick"',
        printed="an equation",
        tests=(
            "tests/bottlenecks/test_gaussian.py::test_draws_have_the_moments_asked_for",
            "tests/bottlenecks/test_contract.py::test_gradients_reach_the_encoder_and_everything_that_learns",
        ),
    ),
    Claim(
        name="lecture-weight",
        says="C (here `beta` and `noise_variance`) weighs reconstruction against the "
        "prior.",
        place='slide "Final product"',
        printed="the loss",
        here="`gaussian.json`: beta 0.1, 1 and 4 have "
        "{gaussian.variants.beta-0-1.psnr}, {gaussian.variants.beta-1.psnr}, "
        "{gaussian.variants.beta-4.psnr} dB and {gaussian.variants.beta-0-1.nats}, "
        "{gaussian.variants.beta-1.nats}, {gaussian.variants.beta-4.nats} nats in the "
        "code",
        holds=lambda r: _falls(r, "psnr") and _falls(r, "nats"),
    ),
    Claim(
        name="lecture-generation",
        says="z of N(0, I) through the decoder gives new images of the data's kind.",
        place='slide "What happens at test time?"',
        printed="a picture",
        here="a classifier is sure of draws by "
        "{claim_lecture.samples.means-one-level.typical}, of real digits by "
        "{claim_lecture.samples.real.typical}",
        holds=lambda r: (
            r(L + "samples.means-one-level.typical")
            > r(L + "samples.real.typical") - 0.1
        ),
        in_part=lambda r: (
            r(L + "samples.means-one-level.typical")
            > r(L + "samples.real.typical") - 0.3
        ),
    ),
    Claim(
        name="lecture-condition",
        says="With labels as a condition, images of the class asked for are drawn.",
        place='slides "Conditional VAEs"',
        printed="pictures",
        here="{gaussian.variants.beta-1.svc} % (SVC) of images drawn on request are of "
        "the class; {gaussian.real_svc} % of real ones",
        holds=lambda r: r("gaussian.variants.beta-1.svc") > 90,
    ),
    Claim(
        name="lecture-interpretable-likelihood",
        says="VAEs have likelihoods that can be compared.",
        place='slide "VAEs vs. GANs" ("interpretable probabilities")',
        printed="a statement",
        here="given the class, the bound rises from {gaussian.variants.beta-1.bound} "
        "to {gaussian.variants.beta-1.bound_given} nats",
        holds=lambda r: (
            r("gaussian.variants.beta-1.bound_given")
            > r("gaussian.variants.beta-1.bound")
        ),
    ),
    Claim(
        name="lecture-collapse",
        says="Where the prior weighs too much, the posterior equals it and the code "
        "says nothing.",
        place='not in the lecture in words; the regularisation of "Final product"',
        printed="nothing",
        tests=(
            "tests/estimators/test_gaussian.py::test_collapse_is_visible",
            "tests/bottlenecks/test_gaussian.py::test_directions_weaker_than_the_noise_are_switched_off",
        ),
    ),
    Claim(
        name="lecture-vq-nearest",
        says="VQ-VAE replaces a latent by its nearest code.",
        place='slides "Quantizing autoencoders"',
        printed="an equation",
        tests=(
            "tests/bottlenecks/test_vector_quantization.py::test_a_latent_that_is_a_code_is_that_code",
            "tests/bottlenecks/test_contract.py::test_untrained_codes_are_those_of_an_independent_computation",
        ),
    ),
    Claim(
        name="lecture-vq-gradient",
        says="With a gradient of 1 past the choice, encoder and codebook are learned "
        "by gradient descent.",
        place='slides "Quantizing autoencoders", "Learning the codebook"',
        printed="the loss",
        tests=(
            "tests/bottlenecks/test_vector_quantization.py::test_codes_trained_by_gradient_have_no_averages_that_move_them",
            "tests/bottlenecks/test_contract.py::test_gradients_reach_the_encoder_and_everything_that_learns",
            "tests/bottlenecks/test_contract.py::test_training_lowers_its_losses",
        ),
    ),
    Claim(
        name="lecture-vq-prior",
        says="For generation a prior of the codes is learned in place of the uniform "
        "one.",
        place='slide "Quantizing autoencoders", last',
        printed="a statement",
        here="bits for the codes of a held-out digit: "
        "{code_prior.codes.vq-4x4-sites.bits} by the prior, "
        "{code_prior.codes.vq-4x4-sites.unigram} by frequencies; a classifier is sure "
        "of images drawn by {code_prior.codes.vq-4x4-sites.confidence}, of mixed sites "
        "by {code_prior.codes.vq-4x4-sites.confidence_mixed}",
        holds=lambda r: (
            r("code_prior.codes.vq-4x4-sites.bits")
            < r("code_prior.codes.vq-4x4-sites.unigram")
            and r("code_prior.codes.vq-4x4-sites.confidence")
            > r("code_prior.codes.vq-4x4-sites.confidence_mixed")
        ),
    ),
    Claim(
        name="lecture-gan",
        says="GANs draw sharper images than VAEs, and have no explicit likelihood.",
        place='slides "VAEs vs. GANs"',
        printed="pictures",
        cannot="this package has no generator from noise alone; a discriminator beside "
        "an autoencoder is what the claims of LASERS on DL-GAN are about.",
    ),
    Claim(
        name="lecture-state-of-the-art",
        says="VAEs have state-of-the-art results; VQ-VAE is a part of DALL-E.",
        place='slides "VAEs vs. GANs", "More on VAEs"',
        printed="pictures",
        cannot="a statement about models of other sizes.",
    ),
]

PRIORS = [
    Claim(
        name="vsc-training",
        says="Training raises the bound and the quality at the sparsity asked for.",
        place="VSC (Tonolini 2020), as cited",
        printed="no figure on data at hand",
        here="`spike_slab.json`: {spike_slab.models.spikes-untrained.psnr} dB before "
        "and {spike_slab.models.spikes.psnr} dB after training with "
        "{spike_slab.models.spikes.nonzeros} non-zeros; OLS of 64 atoms with as many "
        "has {spike_slab.models.ols-64-atoms.psnr}",
        holds=lambda r: (
            r("spike_slab.models.spikes.psnr")
            > r("spike_slab.models.ols-64-atoms.psnr")
        ),
        in_part=lambda r: (
            r("spike_slab.models.spikes.psnr")
            > r("spike_slab.models.spikes-untrained.psnr")
        ),
    ),
    Claim(
        name="code-prior-sparse",
        says="A prior learned over sparse codes draws images of the data's kind.",
        place="LASERS Section 12 and its outlook, for generation in general",
        printed="no figure on data at hand",
        here="`code_prior.json`: sure {code_prior.codes.lista.confidence} of images "
        "drawn from codes of LISTA, {code_prior.codes.omp-3-non-zeros.confidence} of "
        "OMP; mixed sites have {code_prior.codes.lista.confidence_mixed} and "
        "{code_prior.codes.omp-3-non-zeros.confidence_mixed}",
        holds=lambda r: _surer(r, "lista") and _surer(r, "omp-3-non-zeros"),
        in_part=lambda r: _surer(r, "lista") or _surer(r, "omp-3-non-zeros"),
    ),
]
