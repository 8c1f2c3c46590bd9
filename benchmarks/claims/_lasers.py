"""Claims of LASERS: Li, Sarwate, 2024."""

from _registry import Claim

# Names of results.
GAN = "claim_discriminator.models"
LIGHT = f"{GAN}.dl-vae-the-paper-s-network"
LIGHT_VQ = f"{GAN}.vq-vae-the-paper-s-network"
FROZEN = "claim_frozen_latents.bottlenecks"
SWEEP = "lasers_residual.nonzeros"
SIZES = "lasers_residual.atoms"
RATES = ("bpp_0_5", "bpp_1", "bpp_2", "bpp_4")
NONZEROS = (2, 4, 5, 8, 10)

RECONSTRUCTION = [
    Claim(
        name="lasers-reconstruction",
        says="Dictionary learning in the latents reconstructs better than vector "
        "quantisation, all else equal.",
        place="Tables 1 to 3, Figures 9 to 22; size of codebook 512, 5 non-zeros",
        printed="PSNR of DL-VAE / VQ-VAE: 25.9 / 18.1 on MNIST, 29.2 / 22.9 on "
        "CIFAR-10 (28.81 / 22.36 in Table 2), 29.1 / 21.9 on Flowers, 32.2 / 23.8 on "
        "FFHQ (30.80 / 23.45 in Table 3)",
        here=f"CIFAR-10 (JPEG), 512 atoms or codes: {{{SWEEP}.5.psnr}} dB and "
        f"{{{SIZES}.512.vq_psnr}}. The code of a site is five atoms and five numbers "
        "on one side and one index on the other; lasers-rate has equal bits.",
        holds=lambda r: r.above(f"{SWEEP}.5.psnr", f"{SIZES}.512.vq_psnr"),
    ),
    Claim(
        name="lasers-rate",
        says="The latent space is more expressive than by vector quantisation: what "
        "counts is lossy compression, not that codes are discrete.",
        place="Abstract, Sections 1 and 6",
        printed="no comparison at equal bits; 5 of 512 atoms beside one index of 512",
        here="PSNR at 0.5, 1, 2 and 4 bits a pixel: dictionary learning "
        + ", ".join(f"{{rate_distortion.fixed_length.dl-vae.{b}}}" for b in RATES)
        + "; (residual) vector quantisation "
        + f"{{rate_distortion.fixed_length.vq-vae.{RATES[0]}}}, "
        + ", ".join(f"{{rate_distortion.fixed_length.rq-vae.{b}}}" for b in RATES[1:])
        + ". With a penalty in place of a number of atoms, and sets of atoms, at 1, 2 "
        "and 4 bits "
        + ", ".join(
            f"{{rate_distortion.fixed_length.dl-vae-alpha.{b}}}" for b in RATES[1:]
        )
        + ". To hold, above at all, in part at one.",
        holds=lambda r: all(lead > 0 for lead in _leads(r)),
        in_part=lambda r: any(lead > 0 for lead in _leads(r)),
    ),
    Claim(
        name="lasers-overhead",
        says="That costs a modest computational overhead.",
        place="Abstract, Section 3.2",
        printed="no figures",
        here="CPU-seconds of a fit at eight numbers a site: "
        "{comparison.models.dl-vae.cpu_seconds}, one level of vector quantisation "
        "{comparison.models.vq-vae.cpu_seconds}. To hold, at most half as much again, "
        "in part at most twice as much.",
        holds=lambda r: _overhead(r) <= 1.5,
        in_part=lambda r: _overhead(r) <= 2,
    ),
    Claim(
        name="lasers-lpips-fid",
        says="LPIPS and FID are lower, too.",
        place="Tables 2, 3, 6, 7 and 8, Equation 6",
        printed="LPIPS of DL-VAE / VQ-VAE on CIFAR-10 0.02903 / 0.1629",
        cannot="The weights of VGG16 and Inception are not at hand. With them: "
        "`claims/discriminator.py --vgg ... --inception ...`.",
    ),
    Claim(
        name="lasers-large-data",
        says="That is so for MNIST, Oxford Flowers and FFHQ, too.",
        place="Tables 1 and 3",
        printed="see lasers-reconstruction",
        cannot="The data sets are not at hand, and 1,000 epochs of 256x256 pixels take "
        "a GPU. `recipes.DL_VAE`, `DL_GAN`, `VQ_VAE` and `VQ_GAN` are the settings.",
    ),
]

SIZES_AND_SPARSITY = [
    Claim(
        name="lasers-more-nonzeros",
        says="More non-zeros give a higher PSNR.",
        place="Table 5",
        printed="25.63, 28.95, 29.33, 31.32, 31.96 dB with 2, 4, 5, 8 and 10",
        here=", ".join(f"{{{SWEEP}.{s}.psnr}}" for s in NONZEROS) + " dB",
        holds=lambda r: _rises(r, [f"{SWEEP}.{s}.psnr" for s in NONZEROS]),
    ),
    Claim(
        name="lasers-nonzeros-saturate",
        says="Each further non-zero adds less.",
        place="Table 5: 1.7 dB for each from 2 to 4, 0.3 from 8 to 10",
        printed="see lasers-more-nonzeros",
        here=f"dB from {{{SWEEP}.2.psnr}} with 2 to {{{SWEEP}.4.psnr}} with 4, from "
        f"{{{SWEEP}.8.psnr}} with 8 to {{{SWEEP}.10.psnr}} with 10. Latents have 48 "
        "numbers here and 16 there. To hold, the last step has to be at most half of "
        "the first, in part less.",
        holds=lambda r: _last_step(r) <= 0.5,
        in_part=lambda r: _last_step(r) < 1,
    ),
    Claim(
        name="lasers-nonzeros-perplexity",
        says="More non-zeros use the atoms less evenly.",
        place="Table 5, Section 11",
        printed="perplexity 504, 507, 498, 455, 428",
        here=", ".join(f"{{{SWEEP}.{s}.atoms}}" for s in NONZEROS) + " of 512. To "
        "hold, fewer with 8 and 10 than with 2 and 4.",
        holds=lambda r: (
            max(r(f"{SWEEP}.{s}.atoms") for s in (8, 10))
            < min(r(f"{SWEEP}.{s}.atoms") for s in (2, 4))
        ),
    ),
    Claim(
        name="lasers-more-atoms",
        says="More atoms give a higher PSNR of DL-VAE.",
        place="Table 4, 4 non-zeros",
        printed="26.79, 28.03, 28.95 dB with 64, 256 and 512",
        here=", ".join(f"{{{SIZES}.{k}.dl_psnr}}" for k in (64, 256, 512)) + " dB",
        holds=lambda r: _rises(r, [f"{SIZES}.{k}.dl_psnr" for k in (64, 256, 512)]),
    ),
    Claim(
        name="lasers-more-codes",
        says="More codes than 256 make VQ-VAE worse.",
        place="Table 4",
        printed="22.53, 23.59, 22.36 dB with 64, 256 and 512; VQ-GAN 23.69, 25.74, "
        "24.93",
        here=", ".join(f"{{{SIZES}.{k}.vq_psnr}}" for k in (64, 256, 512)) + " dB",
        holds=lambda r: r.above(f"{SIZES}.256.vq_psnr", f"{SIZES}.512.vq_psnr"),
    ),
    Claim(
        name="lasers-collapse",
        says="Dictionary learning does not suffer from the collapse of codebooks.",
        place="Figure 4, Sections 5 and 5.2",
        printed="perplexity of 512: VQ-VAE 275, DL-VAE 507 (a measure that is near 512 "
        "for any small codes)",
        here=f"atoms in use {{{SIZES}.512.dl_atoms}}, codes {{{SIZES}.512.vq_codes}}, "
        "of 512, where both start from data and what falls out of use is replaced; "
        "started at random dictionary learning uses "
        "{lasers_ingredients.ingredients.atoms-start-at-random.atoms}. To hold, DL has "
        "to use 90 % and VQ at most 60, in part DL more than VQ. (`claim_usage` has "
        "both epoch by epoch, with textbook starts.)",
        holds=lambda r: (
            r(f"{SIZES}.512.dl_atoms") > 0.9 * 512
            and r(f"{SIZES}.512.vq_codes") < 0.6 * 512
        ),
        in_part=lambda r: r(f"{SIZES}.512.dl_atoms") > r(f"{SIZES}.512.vq_codes"),
    ),
]

LATENTS = [
    Claim(
        name="lasers-latent-error",
        says="Dictionary learning comes nearer to the latents than vector "
        "quantisation.",
        place="Section 5.1, Figures 5 and 6",
        printed="squared error 0.0039 and 0.0701, each of its own model",
        here="the same latents of a `GaussianVAE` for both, error over their variance: "
        f"5 of 512 atoms {{{FROZEN}.dl-5.error}}, one code {{{FROZEN}.vq.error}}; in "
        f"{{{FROZEN}.dl-5.bits}} bits a latent and {{{FROZEN}.rq-9-levels.bits}}: nine "
        f"residual codes {{{FROZEN}.rq-9-levels.error}}; in {{{FROZEN}.dl-2.bits}} and "
        f"{{{FROZEN}.rq-4-levels.bits}}: 2 atoms {{{FROZEN}.dl-2.error}}, 4 codes "
        f"{{{FROZEN}.rq-4-levels.error}}. To hold, less error at equal bits as well, "
        "in part than one code.",
        holds=lambda r: (
            r.above(f"{FROZEN}.vq.error", f"{FROZEN}.dl-5.error")
            and r.above(f"{FROZEN}.rq-9-levels.error", f"{FROZEN}.dl-5.error")
            and r.above(f"{FROZEN}.rq-4-levels.error", f"{FROZEN}.dl-2.error")
        ),
        in_part=lambda r: r.above(f"{FROZEN}.vq.error", f"{FROZEN}.dl-5.error"),
    ),
    Claim(
        name="lasers-frozen-latents",
        says="Put into the latents of a model that stays as it is, dictionary learning "
        "loses next to nothing, and vector quantisation nearly all.",
        place="Section 12.3, Table 8, Figures 37 to 42",
        printed="PSNR to what Stable Diffusion makes of its own latents: 58.06 dB, "
        "vector quantisation 14.70",
        here=f"latents of 16 numbers: 5 atoms {{{FROZEN}.dl-5.to_model}} dB, one code "
        f"{{{FROZEN}.vq.to_model}}, nine residual codes "
        f"{{{FROZEN}.rq-9-levels.to_model}}; 16 atoms, as many as a latent has "
        f"numbers, {{{FROZEN}.dl-16.to_model}} in {{{FROZEN}.dl-16.bits}} bits. Those "
        "of Stable Diffusion have 4 numbers, fewer than non-zeros. To hold, 5 atoms "
        "have to reach 40 dB, in part be above one code.",
        holds=lambda r: (
            r(f"{FROZEN}.dl-5.to_model") > 40
            and r.above(f"{FROZEN}.dl-5.to_model", f"{FROZEN}.vq.to_model")
        ),
        in_part=lambda r: r.above(f"{FROZEN}.dl-5.to_model", f"{FROZEN}.vq.to_model"),
    ),
    Claim(
        name="lasers-no-fine-tuning",
        says="Once there is a dictionary it needs no fine-tuning on such latents.",
        place="Section 12.3",
        printed="no comparison",
        here=f"5 of 512, error: trained {{{FROZEN}.dl-5.error}}, the dictionary that "
        f"it starts from {{{FROZEN}.dl-5-not-trained.error}}, atoms at random "
        f"{{{FROZEN}.dl-5-atoms-at-random.error}}. To hold, training has to be worth "
        "less than a tenth of the error of the start, in part of that of random atoms "
        "less than a half.",
        holds=lambda r: (
            r(f"{FROZEN}.dl-5.error") > 0.9 * r(f"{FROZEN}.dl-5-not-trained.error")
        ),
        in_part=lambda r: (
            r(f"{FROZEN}.dl-5.error") > 0.5 * r(f"{FROZEN}.dl-5-atoms-at-random.error")
        ),
    ),
    Claim(
        name="lasers-atoms-spread",
        says="Codes of a codebook cluster and look alike, atoms of a dictionary "
        "spread.",
        place="Section 5.2, Figures 7 and 8 (UMAP)",
        printed="pictures",
        here="mean cosine of the angle to the nearest other one, on the same latents: "
        f"codes {{{FROZEN}.vq.alike}} (less their mean), atoms {{{FROZEN}.dl-5.alike}} "
        f"(either sign), random atoms {{{FROZEN}.dl-5-atoms-at-random.alike}}; "
        "`docs/images/atoms_map.png` has both by PCA. To hold, atoms have to be 0.1 "
        "less alike, in part at all.",
        holds=lambda r: r.above(f"{FROZEN}.vq.alike", f"{FROZEN}.dl-5.alike", by=0.1),
        in_part=lambda r: r.above(f"{FROZEN}.vq.alike", f"{FROZEN}.dl-5.alike"),
    ),
    Claim(
        name="lasers-one-atom",
        says="With one non-zero dictionary learning essentially is vector "
        "quantisation.",
        place="Section 3.2",
        printed="stated",
        here=f"one of 64 atoms with a coefficient of 3 bits, error "
        f"{{{FROZEN}.dl-1-of-64-9-bits.error}} in {{{FROZEN}.dl-1-of-64-9-bits.bits}} "
        f"bits; one of 512 codes {{{FROZEN}.vq.error}} in {{{FROZEN}.vq.bits}}: shape "
        "and gain apart are another code. To hold, errors have to differ by less than "
        "a twentieth, in part by a fifth.",
        holds=lambda r: _one_atom(r) < 0.05,
        in_part=lambda r: _one_atom(r) < 0.2,
    ),
    Claim(
        name="lasers-patches",
        says="Latents are coded in patches in practice, which large images need.",
        place="Section 3.2, `patch_size`",
        printed="no figures, and no size of the patches",
        here="20 of 512 atoms for 2x2 latents, error "
        f"{{{FROZEN}.dl-20-for-2x2.error}}; 5 of 512 for each {{{FROZEN}.dl-5.error}}, "
        "as many non-zeros. To hold, patches may have a tenth more error, in part a "
        "half.",
        holds=lambda r: _patches(r) <= 1.1,
        in_part=lambda r: _patches(r) <= 1.5,
    ),
]

ALGORITHMS = [
    Claim(
        name="lasers-online",
        says="Block-coordinate updates of the dictionary are no better than gradients, "
        "and slow where there are many atoms.",
        place="Sections 3.3 and 8, Equations 23 to 28",
        printed="stated",
        here=f"frozen latents, 512 atoms: error {{{FROZEN}.dl-5-online.error}} in "
        f"{{{FROZEN}.dl-5-online.seconds}} CPU-seconds, by gradient "
        f"{{{FROZEN}.dl-5.error}} in {{{FROZEN}.dl-5.seconds}}. Whole models (one "
        "seed): {lasers_ingredients.ingredients.dictionary_update-online.psnr} and "
        "{lasers_ingredients.ingredients.default.psnr} dB. To hold, not better by a "
        "twentieth of the error, and half as long again; in part one of both.",
        holds=lambda r: all(_online(r)),
        in_part=lambda r: any(_online(r)),
    ),
    Claim(
        name="lasers-omp",
        says="Greedy pursuit codes better than thresholding.",
        place="Section 3.3",
        printed="stated",
        here="PSNR and non-zeros of a site: OMP "
        "{reconstruction.codes.dictionarylearningvae-omp.psnr} dB with "
        "{reconstruction.codes.dictionarylearningvae-omp.nonzeros}, learned soft "
        "thresholding {reconstruction.codes.shrinkage-soft.psnr} with "
        "{reconstruction.codes.shrinkage-soft.nonzeros}",
        holds=lambda r: (
            r.above(
                "reconstruction.codes.dictionarylearningvae-omp.psnr",
                "reconstruction.codes.shrinkage-soft.psnr",
            )
            and r("reconstruction.codes.dictionarylearningvae-omp.nonzeros")
            <= r("reconstruction.codes.shrinkage-soft.nonzeros")
        ),
    ),
    Claim(
        name="lasers-batch-omp",
        says="Batch-OMP gives the codes of OMP.",
        place="Section 7, Algorithm 1, Equations 18 to 22",
        printed="an algorithm",
        here="compared with scikit-learn's `orthogonal_mp`",
        tests=("tests/sparse/test_batch_omp.py::test_codes_are_those_of_scikit_learn",),
    ),
    Claim(
        name="lasers-straight-through",
        says="Encoders train through the selection by a straight-through gradient.",
        place="Section 3.3, Equation 7",
        printed="stated",
        here="with it {lasers_ingredients.ingredients.default.psnr} dB, without "
        "{lasers_ingredients.ingredients.no-straight-through.psnr}, one seed. To hold, "
        "a decibel.",
        holds=lambda r: r.above(
            "lasers_ingredients.ingredients.default.psnr",
            "lasers_ingredients.ingredients.no-straight-through.psnr",
            by=1,
        ),
    ),
    Claim(
        name="lasers-adaptive-weight",
        says="The weight of the discriminator balances the gradients at the last "
        "layer.",
        place="Section 3.4, Equations 14 to 16",
        printed="an equation",
        here="the ratio of the norms of both gradients",
        tests=(
            "tests/training/test_adversarial.py"
            "::test_adaptive_weight_is_the_ratio_of_gradients",
        ),
    ),
    Claim(
        name="lasers-mixture-prior",
        says="A mixture of two Gaussians, one for coefficients that are off and one "
        "for those that are on, is the prior of sparse codes.",
        place="Section 3.1, Equations 8 and 9",
        printed="stated; not used in the training",
        here="bits of the codes of a held-out digit: one Gaussian an atom "
        "{claim_mixture_prior.priors.one.bits}, two "
        "{claim_mixture_prior.priors.two.bits}, exactly zero or one Gaussian "
        "{claim_mixture_prior.priors.spike.bits}. Codes of a pursuit are exactly zero, "
        "where the density of a mixture has no bound, so that no estimator has it; "
        "`SpikeSlabVAE` and `CodePrior` are what there is. To hold, two have to be "
        "better than one and not worse than the spike, in part than one.",
        holds=lambda r: (
            _two_gaussians(r)
            and not r.above(
                "claim_mixture_prior.priors.two.bits",
                "claim_mixture_prior.priors.spike.bits",
            )
        ),
        in_part=lambda r: _two_gaussians(r),
    ),
]

DOWNSTREAM = [
    Claim(
        name="lasers-restoration",
        says="Models with dictionary learning restore better than with vector "
        "quantisation.",
        place="Sections 12.1 and 12.2, Tables 6 and 7",
        printed="super-resolution 29.23 and 28.78 dB, inpainting 30.08 and 28.78",
        here="noise of 10, 20 and 30 taken away: {restoration.psnr.dl.noise10}, "
        "{restoration.psnr.dl.noise20}, {restoration.psnr.dl.noise30} dB and "
        "{restoration.psnr.vq.noise10}, {restoration.psnr.vq.noise20}, "
        "{restoration.psnr.vq.noise30}, one seed. Upscaling and holes were measured "
        "for dictionary learning alone: {restoration_gaps.psnr.dl.upscale} dB (bicubic "
        "{restoration_gaps.psnr.bicubic.upscale}) and {restoration_gaps.psnr.dl.hole} "
        "(biharmonic {restoration_gaps.psnr.biharmonic.hole}). To hold, half a decibel "
        "at each strength.",
        holds=lambda r: all(
            r.above(
                f"restoration.psnr.dl.noise{s}", f"restoration.psnr.vq.noise{s}", 0.5
            )
            for s in (10, 20, 30)
        ),
    ),
    Claim(
        name="lasers-diffusion",
        says="Text becomes images through dictionary-learned latents of Stable "
        "Diffusion.",
        place="Section 12.3, Figures 37 to 42",
        printed="pictures of four prompts, FID 0.01061 and 63.90",
        cannot="Weights of Stable Diffusion are not at hand; lasers-frozen-latents "
        "tests the bottleneck on latents of another model.",
    ),
]


DISCRIMINATOR = [
    Claim(
        name="lasers-flip",
        says="What is left looks less different, too: FLIP is lower.",
        place="Tables 2 and 3, Figures 9 to 22",
        printed="FLIP of DL-VAE / VQ-VAE: 0.05181 / 0.05842 on CIFAR-10, 0.07783 / "
        "0.09929 on FFHQ",
        here=f"{{{GAN}.dl-vae.flip}} and {{{GAN}.vq-vae.flip}}, of clipped images at "
        "67 pixels a degree",
        holds=lambda r: r.above(f"{GAN}.vq-vae.flip", f"{GAN}.dl-vae.flip"),
    ),
    Claim(
        name="lasers-discriminator-psnr",
        says="A discriminator raises the PSNR of both.",
        place="Tables 1 to 4: 20 more epochs, with a discriminator",
        printed="on CIFAR-10 DL-GAN 31.1 and DL-VAE 29.2 dB, VQ-GAN 23.2 and VQ-VAE "
        "22.9",
        here="as many epochs for both, the discriminator in the last half of them: "
        f"DL-GAN {{{GAN}.dl-gan.psnr}}, DL-VAE {{{GAN}.dl-vae.psnr}}, VQ-GAN "
        f"{{{GAN}.vq-gan.psnr}}, VQ-VAE {{{GAN}.vq-vae.psnr}} dB. To hold, above for "
        "both, in part for one.",
        holds=lambda r: all(_discriminator(r, k, "psnr") for k in ("dl", "vq")),
        in_part=lambda r: any(_discriminator(r, k, "psnr") for k in ("dl", "vq")),
    ),
    Claim(
        name="lasers-discriminator-detail",
        says="A discriminator makes the output sharper.",
        place="Section 3.4",
        printed="pictures",
        here="what a blur of one pixel takes away from the output, over that of the "
        f"image: DL-GAN {{{GAN}.dl-gan.detail .3f}}, DL-VAE "
        f"{{{GAN}.dl-vae.detail .3f}}, VQ-GAN {{{GAN}.vq-gan.detail .3f}}, VQ-VAE "
        f"{{{GAN}.vq-vae.detail .3f}}. To hold, more for both, in part for one.",
        holds=lambda r: all(_discriminator(r, k, "detail") for k in ("dl", "vq")),
        in_part=lambda r: any(_discriminator(r, k, "detail") for k in ("dl", "vq")),
    ),
    Claim(
        name="lasers-own-network",
        says="With the paper's network, too, the bottleneck decides.",
        place="Section 5: strided convolutions, 128 units, latents of 16 numbers, 200 "
        "epochs of 50,000 images",
        printed="DL-VAE 29.2, VQ-VAE 22.9 dB on CIFAR-10",
        here=f"{{claim_discriminator.settings.light_epochs}} epochs of "
        f"{{claim_discriminator.settings.n_train}} images: DL-VAE {{{LIGHT}.psnr}}, "
        f"VQ-VAE {{{LIGHT_VQ}.psnr}} dB, and {{{LIGHT}-16-non-zeros.psnr}} with a "
        "bottleneck that loses nothing. To hold, DL has to be a decibel above VQ, in "
        "part at all. The paper's training takes about {claim_discriminator.hours .0f} "
        "CPU-hours a model here.",
        holds=lambda r: r.above(f"{LIGHT}.psnr", f"{LIGHT_VQ}.psnr", by=1),
        in_part=lambda r: r.above(f"{LIGHT}.psnr", f"{LIGHT_VQ}.psnr"),
    ),
]


def _leads(r):
    """Return the lead of dictionary learning over vector quantisation, by rate."""
    best = {b: f"rate_distortion.fixed_length.rq-vae.{b}" for b in RATES}
    best["bpp_0_5"] = "rate_distortion.fixed_length.vq-vae.bpp_0_5"
    own = "rate_distortion.fixed_length.dl-vae"
    return [r(f"{own}.{b}") - r(best[b]) for b in RATES]


def _discriminator(r, kind, measure):
    """Whether a discriminator made more of a measure."""
    return r.above(f"{GAN}.{kind}-gan.{measure}", f"{GAN}.{kind}-vae.{measure}")


def _overhead(r):
    return r("comparison.models.dl-vae.cpu_seconds") / r(
        "comparison.models.vq-vae.cpu_seconds"
    )


def _rises(r, paths):
    """Whether each is above the one before."""
    return all(r.above(b, a) for a, b in zip(paths, paths[1:], strict=False))


def _last_step(r):
    """Return the gain from 8 to 10 non-zeros over that from 2 to 4."""
    psnr = {s: r(f"{SWEEP}.{s}.psnr") for s in NONZEROS}
    return (psnr[10] - psnr[8]) / (psnr[4] - psnr[2])


def _one_atom(r):
    """Return by how much one atom differs from one code, relative to its error."""
    code = r(f"{FROZEN}.vq.error")
    return abs(r(f"{FROZEN}.dl-1-of-64-9-bits.error") - code) / code


def _patches(r):
    """Return the error of patches of latents over that of latents one by one."""
    return r(f"{FROZEN}.dl-20-for-2x2.error") / r(f"{FROZEN}.dl-5.error")


def _online(r):
    """Whether online updates are no better, and whether they are slow."""
    better = r(f"{FROZEN}.dl-5-online.error") < 0.95 * r(f"{FROZEN}.dl-5.error")
    slow = r(f"{FROZEN}.dl-5-online.seconds") > 1.5 * r(f"{FROZEN}.dl-5.seconds")
    return not better, slow


def _two_gaussians(r):
    return r.above(
        "claim_mixture_prior.priors.one.bits", "claim_mixture_prior.priors.two.bits"
    )


CLAIMS = [
    *RECONSTRUCTION,
    *SIZES_AND_SPARSITY,
    *LATENTS,
    *ALGORITHMS,
    *DISCRIMINATOR,
    *DOWNSTREAM,
]
