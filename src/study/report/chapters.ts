import type { Experiment, ExperimentName, StudyResults, SweepExperiment, UnitPercentiles } from "../results.ts";
import { batchSizeFigure, heatmapFigure, seedsFigure } from "./figures-compare.ts";
import { curvesFigure, unitFigure } from "./figures-run.ts";
import { decimal, factor, integer, magnitude, percent, share, short, thin } from "./format.ts";
import { type Html, html, type Part } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import { type Findings, type Grid, type Row, rules, type SpeedFindings, type Verdict } from "./judge.ts";
import { badge, figure, settingsList, table } from "./parts.ts";
import type { Tools } from "./plot.ts";

/** Rows of numbers shown under a curve; the JSON file has the rest. */
const shownRows = 31;

/** What every chapter is drawn from. */
export interface Context {
  tools: Tools;
  t: Strings;
  results: StudyResults;
  findings: Findings;
}

interface Chapter {
  name: ExperimentName;
  experiment: Experiment;
  verdict: Verdict;
  rule: string;
  plot: Part;
  says: Part[];
  after?: Part;
  numbers: Part;
}

/** The chapter of one experiment, or nothing where it was not run. */
export function experimentChapter(context: Context, name: ExperimentName): Html | null {
  const chapter = chapters[name](context);
  if (!chapter) return null;
  const { t } = context;
  const words = t[name];
  return html`<section class="chapter" id="${t.lang}-${name}" data-section="${name}">
<h2>${words.name}</h2>
<p class="lede">${words.claim}</p>
${chapter.plot || html`<p class="note">${t.noData}</p>`}
<h3>${t.sections.says}</h3>
${chapter.says.map((line) => (line ? html`<p>${line}</p>` : null))}
<p class="verdict">${badge(t, chapter.verdict, chapter.experiment.finished)} ${words.verdict[chapter.verdict]}</p>
${chapter.after}
<details><summary>${t.sections.rule}</summary><p>${chapter.rule}</p></details>
<details><summary>${t.sections.settings}</summary>${settingsList(t, chapter.experiment.settings, chapter.experiment.seconds)}</details>
<details><summary>${t.sections.numbers}</summary>${chapter.numbers}</details>
</section>`;
}

const chapters: Record<ExperimentName, (context: Context) => Chapter | null> = {
  speed: speedChapter,
  init: initChapter,
  learningRate: learningRateChapter,
  generalization: generalizationChapter,
  batchSize: batchSizeChapter,
};

function speedChapter({ tools, t, results, findings }: Context): Chapter | null {
  const experiment = results.experiments.speed;
  const found = findings.speed;
  if (!experiment || !found) return null;
  const plot = speedFigure({ tools, t, results, findings }, "speed-fig");
  const step = (value: number | null) => (value === null ? t.table.never : integer(value));
  return {
    name: "speed",
    experiment,
    verdict: found.verdict,
    rule: t.speed.rule(share(rules.fasterShare), (rules.learned * 100).toFixed(0), share(rules.trained)),
    plot: plot && figure(plot, t.speed.figure),
    says: [speedSentence(t, found), costSentence(t, found)],
    after: unitPart({ tools, t, results, findings }),
    numbers: html`${
      found.plain && found.batch
        ? html`<h4>${t.speed.table}</h4>${table(
            [t.table.accuracy, t.table.stepsNone, t.table.stepsBatch],
            found.targets.map((target) => [share(target.accuracy), step(target.plain), step(target.batch)]),
          )}`
        : null
    }${curveTable(t, found)}${experiment.runs.slice(0, 2).map((run) => unitTable(t, t.norm[run.norm], run.unit))}`,
  };
}

/** Figure 1a, which stands at the head of the report as well. */
export function speedFigure({ tools, t, findings }: Context, id: string): Html | null {
  const found = findings.speed;
  if (!found?.plain && !found?.batch) return null;
  const caption = { id: `${t.lang}-${id}`, title: t.speed.figure, desc: t.speed.figureDesc };
  return curvesFigure(tools, t, caption, found);
}

function speedSentence(t: Strings, found: SpeedFindings): string | null {
  if (found.plainBest === null || found.batchBest === null || !found.plain) return null;
  const best = percent(found.plainBest);
  if (!found.plainLearned)
    return t.speed.untrained(best, integer(found.plain.step[found.plain.step.length - 1]), percent(found.batchBest));
  if (found.batchStep === null || found.share === null) return t.speed.never(best, percent(found.batchBest));
  const [batchStep, plainStep] = [integer(found.batchStep), integer(found.plainBestStep as number)];
  return found.share < 1
    ? t.speed.reached(best, batchStep, plainStep, share(found.share))
    : t.speed.slower(best, batchStep, plainStep);
}

function costSentence(t: Strings, found: SpeedFindings): string | null {
  if (found.stepCost === null || !Number.isFinite(found.stepCost)) return null;
  const cost = t.speed.cost(found.stepCost.toFixed(2));
  return found.share !== null && found.share < 1
    ? cost + t.between + t.speed.clock(share(found.share * found.stepCost))
    : cost;
}

function unitPart({ tools, t, results, findings }: Context): Html | null {
  const runs = results.experiments.speed?.runs ?? [];
  const units = (["none", "batch"] as const).flatMap((norm) => {
    const unit = runs.find((run) => run.norm === norm)?.unit;
    return unit && unit.step.length > 1 ? [{ norm, unit }] : [];
  });
  if (units.length === 0) return null;
  // One axis for both: the eye should compare them.
  const ends = units.flatMap(({ unit }) => [Math.min(...unit.p15), Math.max(...unit.p85)]);
  const pad = (Math.max(...ends) - Math.min(...ends)) * 0.05;
  const domain: [number, number] = [Math.min(...ends) - pad, Math.max(...ends) + pad];
  const drift = findings.speed?.drift;
  return html`<h3>${t.speed.unit}</h3>
<p>${t.speed.unitText(units[0].unit.layer, units[0].unit.unit)}</p>
<div class="pair">${units.map(({ norm, unit }) =>
    figure(
      unitFigure(
        tools,
        t,
        { id: `${t.lang}-unit-${norm}`, title: t.speed.unitFigure(t.norm[norm]), desc: t.speed.unitDesc },
        norm,
        unit,
        domain,
      ),
      t.norm[norm],
    ),
  )}</div>
${drift && html`<p>${t.speed.drift(decimal(drift.batch.wander, 2), decimal(drift.plain.wander, 2), factor(drift.batch.growth), factor(drift.plain.growth))}${t.between}${t.speed.driftVerdict[drift.verdict]}</p>`}
<p>${t.speed.santurkar}</p>`;
}

function curveTable(t: Strings, found: SpeedFindings): Html {
  const curves = (
    [
      ["none", found.plain],
      ["batch", found.batch],
    ] as const
  ).flatMap(([norm, curve]) => (curve ? [{ norm, curve }] : []));
  const steps = [...new Set(curves.flatMap(({ curve }) => curve.step))].sort((a, b) => a - b);
  const rows = thin(steps.length, shownRows).map((i) => [
    integer(steps[i]),
    ...curves.map(({ curve }) => {
      const at = curve.step.indexOf(steps[i]);
      return at < 0 ? "–" : percent(curve.accuracy[at], 2);
    }),
  ]);
  return html`<h4>${t.speed.curves}</h4>${table([t.table.step, ...curves.map(({ norm }) => t.norm[norm])], rows)}${moreNote(t, rows.length, steps.length)}`;
}

function unitTable(t: Strings, norm: string, unit: UnitPercentiles): Html {
  const rows = thin(unit.step.length, shownRows).map((i) => [
    integer(unit.step[i]),
    ...[unit.p15[i], unit.p50[i], unit.p85[i]].map((value) => decimal(value)),
  ]);
  return html`<h4>${t.speed.unitFigure(norm)}</h4>${table([t.table.step, ...[15, 50, 85].map(t.table.percentile)], rows)}${moreNote(t, rows.length, unit.step.length)}`;
}

function moreNote(t: Strings, shown: number, all: number): Html | null {
  return shown < all ? html`<p class="note">${t.more(shown, integer(all))}</p>` : null;
}

function initChapter({ tools, t, results, findings }: Context): Chapter | null {
  const experiment = results.experiments.init;
  const found = findings.init;
  if (!experiment || !found) return null;
  const caption = { id: `${t.lang}-init-fig`, title: t.init.figure, desc: t.init.figureDesc };
  const { batch, plain } = found.compared ?? {};
  const range = (row: Row) => ((row.highest - row.lowest) * 100).toFixed(1);
  return {
    name: "init",
    experiment,
    verdict: found.verdict,
    rule: t.init.rule(share(rules.works), share(rules.spreadShare)),
    plot:
      experiment.runs.length > 0 &&
      figure(
        heatmapFigure(
          tools,
          t,
          caption,
          experiment,
          found.grid,
          1 / results.meta.data.classes,
          t.axis[experiment.scale],
        ),
        [t.init.figure, ...heatNotes(t, experiment, found.grid)].join(" · "),
      ),
    says:
      batch && plain
        ? [
            `${t.init.says(batch.works, plain.works, batch.measured)}${t.between}${t.init.spread(range(batch), range(plain))}`,
          ]
        : [],
    numbers: gridTable(t, experiment, found.grid, t.axis[experiment.scale]),
  };
}

function learningRateChapter({ tools, t, results, findings }: Context): Chapter | null {
  const experiment = results.experiments.learningRate;
  const found = findings.learningRate;
  if (!experiment || !found) return null;
  const batch = found.compared?.batch.largest ?? null;
  const plain = found.compared?.plain.largest ?? null;
  const caption = { id: `${t.lang}-rate-fig`, title: t.learningRate.figure, desc: t.learningRate.figureDesc };
  const says =
    batch === null
      ? t.learningRate.none
      : plain === null || found.factor === null
        ? t.learningRate.only(short(batch))
        : t.learningRate.says(short(batch), short(plain), factor(found.factor));
  return {
    name: "learningRate",
    experiment,
    verdict: found.verdict,
    rule: t.learningRate.rule(share(rules.works), String(rules.rateFactor)),
    plot:
      experiment.runs.length > 0 &&
      figure(
        heatmapFigure(tools, t, caption, experiment, found.grid, 1 / results.meta.data.classes, t.axis.learningRate),
        [t.learningRate.figure, ...heatNotes(t, experiment, found.grid)].join(" · "),
      ),
    says: found.compared ? [found.atEdge ? says + t.between + t.learningRate.edge : says] : [],
    numbers: gridTable(t, experiment, found.grid, t.axis.learningRate),
  };
}

function heatNotes(t: Strings, sweep: SweepExperiment, grid: Grid): string[] {
  const cells = [...grid.cells.values()].flat();
  const diverged = cells.some((cell) => cell.diverged > 0) ? [`× ${t.table.diverged}`] : [];
  const missing = cells.some((cell) => cell.accuracy === null) ? [`– ${t.missing}`] : [];
  return [...diverged, ...missing, t.table.seeds(sweep.settings.seeds.length)];
}

function gridTable(t: Strings, sweep: SweepExperiment, grid: Grid, label: string): Html {
  const rows = sweep.values.map((value, i) => [
    short(value),
    ...sweep.norms.map((norm) => {
      const cell = grid.cells.get(norm)?.[i];
      if (!cell || cell.accuracy === null) return `– (${t.missing})`;
      return cell.diverged > 0
        ? `${percent(cell.accuracy, 2)} (${t.table.diverged}: ${cell.diverged}/${cell.runs})`
        : percent(cell.accuracy, 2);
    }),
  ]);
  return html`${table([label, ...sweep.norms.map((norm) => t.norm[norm])], rows)}<p class="note">${t.axis.testAccuracy} · ${t.table.seeds(sweep.settings.seeds.length)}</p>`;
}

function generalizationChapter({ tools, t, results, findings }: Context): Chapter | null {
  const experiment = results.experiments.generalization;
  const found = findings.generalization;
  if (!experiment || !found) return null;
  const caption = { id: `${t.lang}-seeds-fig`, title: t.generalization.figure, desc: t.generalization.figureDesc };
  const batch = found.norms.get("batch");
  const plain = found.norms.get("none");
  const spread = (s: { mean: number; sd: number }) => `${percent(s.mean, 2)} ± ${(s.sd * 100).toFixed(2)}`;
  return {
    name: "generalization",
    experiment,
    verdict: found.verdict,
    rule: t.generalization.rule(rules.standardErrors),
    plot:
      found.norms.size > 0 &&
      figure(
        seedsFigure(tools, t, caption, experiment, found),
        `${t.generalization.figure} · ○ ${t.table.train} · ● ${t.table.test}`,
      ),
    says: [
      found.test &&
        t.generalization.says(
          found.test.mean >= 0,
          magnitude(found.test.mean),
          (found.test.error * 100).toFixed(2),
          found.pairs,
        ),
      batch && plain && t.generalization.gap((batch.gap.mean * 100).toFixed(2), (plain.gap.mean * 100).toFixed(2)),
    ],
    numbers: html`${table(
      [t.table.mean, t.table.train, t.table.test, t.table.gap],
      [...found.norms].map(([norm, s]) => [t.norm[norm], spread(s.train), spread(s.test), spread(s.gap)]),
    )}${table(
      [t.table.normalization, t.table.seed, t.table.train, t.table.test],
      experiment.runs.map((run) => [
        t.norm[run.norm],
        String(run.seed),
        percent(run.trainAccuracy, 2),
        percent(run.testAccuracy, 2),
      ]),
    )}`,
  };
}

function batchSizeChapter({ tools, t, results, findings }: Context): Chapter | null {
  const experiment = results.experiments.batchSize;
  const found = findings.batchSize;
  if (!experiment || !found) return null;
  const caption = { id: `${t.lang}-size-fig`, title: t.batchSize.figure, desc: t.batchSize.figureDesc };
  const best = (value: number) => {
    const i = experiment.values.indexOf(value);
    return t.norm[
      experiment.norms.reduce((a, b) =>
        (found.grid.cells.get(b)?.[i].accuracy ?? -1) > (found.grid.cells.get(a)?.[i].accuracy ?? -1) ? b : a,
      )
    ];
  };
  const measured = experiment.values.filter((_, i) =>
    experiment.norms.every((norm) => found.grid.cells.get(norm)?.[i].accuracy != null),
  );
  const { smallest, reference } = found;
  const lead = (at: { size: number; lead: number }) => t.batchSize.lead(at.lead >= 0, magnitude(at.lead), at.size);
  return {
    name: "batchSize",
    experiment,
    verdict: found.verdict,
    rule: t.batchSize.rule(String(rules.gap * 100), rules.referenceBatch),
    plot:
      experiment.runs.length > 0 &&
      figure(
        batchSizeFigure(tools, t, caption, experiment, found),
        `${t.batchSize.figure} · ${t.table.seeds(experiment.settings.seeds.length)}`,
      ),
    says: [
      smallest && reference && t.batchSize.says(lead(smallest), lead(reference)),
      measured.length > 1 &&
        t.batchSize.best(
          measured[0],
          best(measured[0]),
          measured[measured.length - 1],
          best(measured[measured.length - 1]),
        ),
    ],
    numbers: gridTable(t, experiment, found.grid, t.axis.batchSize),
  };
}
