import type { NormKind } from "../../results.ts";
import { cite, type Paper } from "../citations.ts";
import { html } from "../html.ts";
import type { Verdict } from "../judge.ts";

const ref = (paper: Paper) => cite(paper, "en");
const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** The English of the report. */
export const en = {
  lang: "en",
  /** Stands between two sentences. */
  between: " ",
  title: "What batch norm does",
  description: "Networks trained with and without batch normalization, and what the numbers say of five claims.",
  lead: (data: string, train: string, test: string) =>
    `The same networks, trained with and without batch normalization on ${data} (${train} training and ${test} test samples): five claims about it, each put to an experiment and judged by its numbers.`,
  toolbar: { language: "Language", theme: "Theme", light: "Light", dark: "Dark", skip: "Skip to the report" },
  unfinished: "unfinished",
  aborted:
    "This study was stopped before its end. What was measured until then is shown; whatever is missing is marked.",
  notRun: "not run",
  noData: "No measurements yet.",
  missing: "missing",
  seconds: (s: string) => `${s} s`,
  minutes: (m: number, s: number) => `${m} min ${s} s`,
  hours: (h: number, m: number) => `${h} h ${m} min`,
  more: (shown: number, all: string) =>
    `${shown} of ${all} measurements are shown; the JSON file beside this report has all of them.`,
  norm: {
    none: "no norm",
    batch: "batch norm",
    layer: "layer norm",
    instance: "instance norm",
    group: "group norm",
  } as Record<NormKind, string>,
  normShort: { none: "none", batch: "batch", layer: "layer", instance: "instance", group: "group" } as Record<
    NormKind,
    string
  >,
  verdicts: { holds: "Holds", part: "Holds in part", fails: "Does not hold here", open: "Not decided" } as Record<
    Verdict,
    string
  >,
  at: {
    title: "At a glance",
    share: "of the steps is what batch norm needs to reach the plain network’s best accuracy",
    untrained: "accuracy with batch norm, where the plain network has not begun to learn",
    scales: (plain: number) =>
      `weight scales work with batch norm; without it ${plain === 0 ? "none does" : plain === 1 ? "one does" : `${plain} do`}`,
    rate: "the plain network’s largest working learning rate still works with batch norm",
    rateOnly: "is the largest learning rate that works with batch norm; without it none does",
    test: "points of test accuracy: batch norm against none, mean over seeds",
    verdicts: "The five claims",
  },
  sections: { claim: "Claim", says: "What it says", rule: "The rule", settings: "Settings", numbers: "The numbers" },
  axis: {
    step: "training step",
    testAccuracy: "test accuracy (%)",
    accuracy: "accuracy (%)",
    input: "input of the sigmoid",
    std: "standard deviation of the weights",
    factor: "factor on the default initialisation",
    learningRate: "learning rate",
    batchSize: "batch size (samples)",
    testError: "test error (%)",
    value: "value",
  },
  table: {
    step: "Step",
    seed: "Seed",
    accuracy: "Accuracy",
    stepsNone: "Steps without",
    stepsBatch: "Steps with batch norm",
    never: "not reached",
    percentile: (p: number) => `${p}th percentile`,
    normalization: "Normalization",
    train: "Training",
    test: "Test",
    gap: "Gap",
    mean: "mean ± sd",
    diverged: "diverged",
    seeds: (n: number) => (n === 1 ? "one seed" : `mean over ${n} seeds`),
  },
  settings: {
    network: "Network",
    activation: "Activation",
    weights: "Weights",
    optimizer: "Optimizer",
    learningRate: "Learning rate",
    batchSize: "Batch size",
    steps: "Steps",
    epochs: "Epochs",
    seeds: "Seeds",
    groups: "Groups of group norm",
    trainSamples: "Training samples",
    testSamples: "Test samples",
    duration: "Time taken",
  },
  three: {
    name: "Batch norm in three steps",
    lead: (layer: number, unit: number, step: string, m: number) =>
      `A unit gets one number from each sample of the mini-batch. Batch norm looks at these numbers together. Here are ${m} of them as this study’s network really had them: hidden layer ${layer}, unit ${unit}, at step ${step}.`,
    figure: "The same values after each step",
    mean: "▲ their mean",
    figureDesc: (m: number) =>
      `${m} values in four rows: as they come in, normalized, scaled by gamma, and shifted by beta; thin lines join each value from row to row.`,
    rows: { x: "input x", xhat: "1 · normalize", scaled: "2 · scale", y: "3 · shift" },
    normalize: "Normalize",
    normalizeText:
      "Subtract the mean of the mini-batch and divide by its standard deviation. The variance is the biased one, divided by m; ε keeps the root away from zero.",
    scale: "Scale",
    scaleText: "Multiply by γ, a parameter the network learns, one for each unit (in a convolution, each channel).",
    shift: "Shift",
    shiftText:
      "Add β, learned as well. With γ = σ and β = μ the layer could undo itself, so nothing the network could express is lost.",
    first: "The first value:",
    trainEval: "Training and evaluation",
    trainText:
      "In training the statistics are those of the mini-batch, and the layer keeps a running mean and variance beside them. Into the running variance goes the unbiased one, divided by m − 1.",
    evalText:
      "In evaluation the running statistics take their place, so a sample’s output no longer depends on its neighbours. The same values then come out differently, the more so the younger the running statistics are.",
    caption: "Everything in numbers",
    sample: "Sample",
    trainColumn: "y (training)",
    evalColumn: "y (evaluation)",
    rounded: "Shown rounded to three decimals; computed with all of them.",
  },
  speed: {
    name: "Training is faster",
    claim: html`With batch normalization the network reaches the same accuracy in far fewer steps. This is the experiment of ${ref("ioffe")}, Figure 1: three hidden layers of sigmoids, small Gaussian weights.`,
    figure: "Test accuracy over training, with and without batch norm",
    figureDesc:
      "Two curves of test accuracy by training step: batch norm and no normalization. A dashed line marks the plain network’s best accuracy and a ring the step at which batch norm reaches it.",
    mark: (best: string, share: string, step: string) => `${best} at step ${step}:\n${share} of the steps`,
    reached: (best: string, batchStep: string, plainStep: string, share: string) =>
      `Batch norm reaches the plain network’s best accuracy, ${best}, after ${batchStep} steps instead of ${plainStep}: in ${share} of the steps.`,
    slower: (best: string, batchStep: string, plainStep: string) =>
      `Batch norm needs ${batchStep} steps for the plain network’s best accuracy, ${best}; the plain network needs ${plainStep}.`,
    never: (best: string, batchBest: string) =>
      `Batch norm never reaches the plain network’s best accuracy, ${best}, in this run; its own best is ${batchBest}.`,
    untrained: (plainBest: string, steps: string, batchBest: string) =>
      `The plain network has not begun to learn after ${steps} steps (its best accuracy is ${plainBest}); batch norm has reached ${batchBest}. A share of the steps would mean nothing here, so none is given.`,
    cost: (ratio: string) => `One training step with batch norm takes ${ratio} times as long as one without.`,
    clock: (share: string) => `By the clock it is there in about ${share} of the time.`,
    verdict: {
      holds: "Batch norm arrives far earlier than the plain network.",
      part: "Batch norm is ahead, but by less than the rule asks for.",
      fails: "Batch norm was no faster than the plain network here, so the claim fails.",
      open: "One of the two networks has no measurements yet.",
    } as Record<Verdict, string>,
    rule: (share: string, learned: string, trained: string) =>
      `It holds if batch norm reaches the plain network’s best accuracy in at most ${share} of its steps, and in part if it needs fewer steps at all. If the plain network never gets ${learned} points above chance, it holds if batch norm reaches ${trained}.`,
    table: "Steps needed to reach an accuracy",
    curves: "Test accuracy by step",
    unit: "The input of a typical unit",
    unitText: (layer: number, unit: number) =>
      html`The second thing that ${ref("ioffe")} show (1b, 1c): the distribution of what one unit’s sigmoid is given, here unit ${unit} of hidden layer ${layer}. The line is the median; the band lies between the 15th and the 85th percentile.`,
    unitFigure: (norm: string) => `Input of one sigmoid over training, ${norm}`,
    unitDesc:
      "A band between the 15th and 85th percentiles of the unit’s input with its median as a line, by training step.",
    drift: (batch: string, plain: string, batchGrowth: string, plainGrowth: string) =>
      `With batch norm the median moves over a range of ${batch}, without it over ${plain}. The band’s width changes by a factor of ${batchGrowth} with batch norm and of ${plainGrowth} without.`,
    driftVerdict: {
      holds: "With batch norm the input is steadier in both respects.",
      part: "With batch norm the input is steadier in one of the two respects only.",
      fails: "Here the input is no steadier with batch norm.",
      open: "",
    } as Record<Verdict, string>,
    santurkar: html`That steadier inputs are why training is faster was the paper’s explanation, and it is disputed: ${ref("santurkar")} add noise that makes the inputs unsteady, and batch norm helps all the same. They find that it makes the loss smoother instead.`,
  },
  init: {
    name: "Initialisation matters less",
    claim:
      "A normalized network trains from small and from large initial weights alike, where a plain one needs them in a narrow range.",
    figure: "Final test accuracy by weight scale (%)",
    figureDesc:
      "A grid of final test accuracies in percent: one line for each normalization, one cell for each weight scale. Darker cells in the light theme, brighter cells in the dark one, are more accurate.",
    says: (batch: number, plain: number, of: number) =>
      `Batch norm works at ${batch} of ${plural(of, "weight scale")}, the plain network at ${plain}.`,
    spread: (batch: string, plain: string) =>
      `From its worst scale to its best, accuracy differs by ${batch} points with batch norm and by ${plain} without.`,
    verdict: {
      holds: "With batch norm more weight scales work, and they differ less.",
      part: "Either more scales work or they differ much less, but not both.",
      fails: "Batch norm was as sensitive to the weight scale as the plain network here, so the claim fails.",
      open: "Fewer than two weight scales were run both with batch norm and without.",
    } as Record<Verdict, string>,
    rule: (works: string, spread: string) =>
      `A scale works if the final accuracy is at least ${works} of the best in the grid. It holds if batch norm works at more scales than the plain network and its accuracies spread over at most ${spread} of the plain network’s range; in part if one of the two is so.`,
  },
  learningRate: {
    name: "Larger learning rates work",
    claim: "With batch normalization a network can be trained at learning rates that make a plain one fail.",
    figure: "Final test accuracy by learning rate (%)",
    figureDesc:
      "A grid of final test accuracies in percent: one line for each normalization, one cell for each learning rate. Darker cells in the light theme, brighter cells in the dark one, are more accurate.",
    says: (batch: string, plain: string, factor: string) =>
      `The largest learning rate that works is ${batch} with batch norm and ${plain} without: ${factor} times as large.`,
    only: (batch: string) => `With batch norm rates up to ${batch} work; without it none of the rates tried does.`,
    none: "With batch norm none of the rates tried works.",
    edge: "That is the largest rate tried, so the true limit may lie higher.",
    verdict: {
      holds: "Batch norm bears clearly larger learning rates.",
      part: "Batch norm bears larger learning rates, but not by much.",
      fails: "Batch norm bore no larger learning rate than the plain network here, so the claim fails.",
      open: "Both networks still work at the largest rate tried, or too few rates were run.",
    } as Record<Verdict, string>,
    rule: (works: string, factor: string) =>
      `A rate works if the final accuracy is at least ${works} of the best in the grid. It holds if the largest working rate is at least ${factor} times the plain network’s, and in part if it is larger at all.`,
  },
  generalization: {
    name: "It generalizes better",
    claim: "Batch normalization regularizes: a convolutional network does better on images it has not seen.",
    figure: "Training and test accuracy, one mark a seed",
    figureDesc:
      "For each normalization two lines of marks, training accuracy as rings and test accuracy as discs, one mark for each seed, with a bar at the mean and a line over one standard deviation on either side.",
    says: (higher: boolean, points: string, error: string, pairs: number) =>
      `With batch norm, test accuracy is ${points} points ${higher ? "higher" : "lower"} (standard error ${error}, ${plural(pairs, "pair")} of equal seeds).`,
    gap: (batch: string, plain: string) =>
      `Training accuracy lies ${batch} points above test accuracy with batch norm, ${plain} without.`,
    verdict: {
      holds: "Test accuracy is higher by more than the seeds scatter, and the gap to training accuracy is no wider.",
      part: "Test accuracy is higher but the gap wider, or only the gap is smaller.",
      fails: "Test accuracy with batch norm is not higher by more than the seeds scatter here, so the claim fails.",
      open: "A comparison needs at least two seeds with batch norm and without.",
    } as Record<Verdict, string>,
    rule: (errors: number) =>
      `A difference counts if it is larger than ${errors} standard errors of its mean over pairs of equal seeds. It holds if test accuracy is higher and the gap between training and test no wider; in part if only the gap is smaller, or if test accuracy is higher but the gap wider.`,
  },
  batchSize: {
    name: "Against its relatives",
    claim: html`Batch norm needs mini-batches of some size, since its statistics come from them; layer, instance and group norm look at one sample at a time and do not care (${ref("wu")}, Figure 1; ${ref("ba")}; ${ref("ulyanov")}).`,
    figure: "Test error by batch size",
    figureDesc:
      "Curves of test error in percent against batch size, one for each normalization; lower is better. Both axes are logarithmic.",
    lead: (ahead: boolean, points: string, size: number) =>
      `${points} points ${ahead ? "ahead of" : "behind"} group norm at batches of ${size}`,
    says: (small: string, reference: string) => `In test accuracy, batch norm is ${small} and ${reference}.`,
    best: (small: number, smallNorm: string, large: number, largeNorm: string) =>
      `The most accurate at batches of ${small} is ${smallNorm}; at batches of ${large} it is ${largeNorm}.`,
    verdict: {
      holds: "Batch norm falls behind group norm when batches are small, and keeps up when they are not.",
      part: "Batch norm loses against group norm as batches shrink, but one half of the picture is missing.",
      fails: "Small batches did not set batch norm behind group norm here, so the claim fails.",
      open: "Too few batch sizes were run with both batch norm and group norm.",
    } as Record<Verdict, string>,
    rule: (gap: string, reference: number) =>
      `It holds if batch norm is at least ${gap} points behind group norm at the smallest batch size and no more than that behind at the size nearest ${reference}; in part if it is behind at the smallest, or if its lead shrinks by at least as much.`,
  },
  limits: {
    name: "Limits",
    points: (preset: string) => [
      `These are small networks on small grey images of digits. What holds here need not hold, or not as much, for large networks, and the other way round.`,
      `This is the “${preset}” preset. ${preset === "full" ? "It runs the paper’s 50,000 steps and full grids." : "It is cut to take about a minute: fewer steps, coarser grids and few seeds. The preset “full” runs the paper’s 50,000 steps and full grids."}`,
      "Where a point has one seed only, differences of a few tenths of a percentage point are chance.",
      "Within an experiment all networks get the same settings, samples and order of samples; none was tuned for any of them. A tuned plain network could do better than it does here.",
      "The verdicts follow fixed rules, printed with each. Other thresholds would give other verdicts; the numbers are there to be judged by.",
    ],
  },
  reproduce: {
    name: "Run it again",
    text: "The same seed gives the same numbers on the same build, with any number of threads.",
    machine: "Where it ran",
    labels: {
      date: "Date",
      preset: "Preset",
      seed: "Seed",
      version: "evenkeel",
      data: "Data",
      cpu: "CPU",
      cores: "Cores",
      os: "System",
      node: "Node",
      backend: "Backend",
      duration: "Time taken",
    },
    data: (name: string, train: string, test: string) => `${name}, ${train} training and ${test} test samples`,
    backend: (backend: string, simd: string, threads: number) =>
      `${backend}, SIMD ${simd}, ${plural(threads, "thread")}`,
  },
  papers: "Papers",
};

/** What every language has to say. */
export type Strings = typeof en;
