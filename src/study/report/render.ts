import { experimentNames, type StudyResults } from "../results.ts";
import { type Context, experimentChapter, speedFigure } from "./chapters.ts";
import { papers } from "./citations.ts";
import { factor, integer, percent, points, share, short } from "./format.ts";
import { Html, html } from "./html.ts";
import { en, type Strings } from "./i18n/en.ts";
import { zh } from "./i18n/zh.ts";
import { judge } from "./judge.ts";
import { badge, duration, facts } from "./parts.ts";
import { loadTools } from "./plot.ts";
import { earlyScript, script, style } from "./style.ts";
import { threeStepsChapter } from "./three-steps.ts";

const languages: readonly Strings[] = [en, zh];

/**
 * Renders a study's results as one HTML file that needs nothing else: styles, plots, formulas and both languages are inside.
 * The same results give the same file. Experiments that are missing or unfinished are marked as such.
 *
 * @throws EnvironmentError where @observablehq/plot, linkedom or katex is not installed
 */
export async function renderReport(results: StudyResults): Promise<string> {
  const tools = await loadTools();
  const findings = judge(results);
  const pages = languages.map((t) => page({ tools, t, results, findings }));
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark"><meta name="description" content="${en.description}">
<title>${en.title}</title><style>${new Html(style())}</style><script>${new Html(earlyScript)}</script></head>
<body><header class="bar"><span class="brand">evenkeel</span>
<div role="group" data-name="language" aria-label="${en.toolbar.language}">
<button type="button" data-lang="en" lang="en">English</button><button type="button" data-lang="zh-CN" lang="zh-CN">中文</button></div>
<div role="group" data-name="theme" aria-label="${en.toolbar.theme}">
<button type="button" data-theme="light">${en.toolbar.light}</button><button type="button" data-theme="dark">${en.toolbar.dark}</button></div></header>
${pages}<script>${new Html(script)}</script></body></html>
`.text;
}

function page(context: Context): Html {
  const { tools, t, results } = context;
  const bar = t.toolbar;
  return html`<main lang="${t.lang}"${t === en ? null : new Html(" hidden")} data-title="${t.title}" data-language="${bar.language}" data-theme="${bar.theme}" data-light="${bar.light}" data-dark="${bar.dark}">
${hero(context)}
${results.threeSteps && threeStepsChapter(tools, t, results.threeSteps)}
${experimentNames.map((name) => experimentChapter(context, name))}
${closing(context)}
</main>`;
}

function hero(context: Context): Html {
  const { t, results, findings } = context;
  const { data, preset, date, aborted, seconds } = results.meta;
  const figure = speedFigure(context, "hero-fig");
  return html`<section class="hero" data-section="hero">
<h1>${t.title}</h1>
<p class="lede">${t.lead(data.name, integer(data.train), integer(data.test))}</p>
${aborted && html`<p class="notice">${t.aborted}</p>`}
${figure && html`<figure>${figure}</figure>`}
<ul class="glance" aria-label="${t.at.title}">${headlines(context).map(([value, text]) => html`<li><b>${value}</b>${text}</li>`)}</ul>
<h3>${t.at.verdicts}</h3>
<ol class="claims">${experimentNames.map((name) => {
    const experiment = results.experiments[name];
    const found = findings[name];
    return experiment && found
      ? html`<li><a href="#${t.lang}-${name}">${t[name].name}</a><span class="status">${badge(t, found.verdict, experiment.finished)}</span></li>`
      : html`<li class="off"><span>${t[name].name}</span><span class="status">${t.notRun}</span></li>`;
  })}</ol>
<p class="meta">${[date.slice(0, 10), preset, `${t.reproduce.labels.seed} ${results.meta.seed}`, duration(t, seconds)].join(" · ")}</p>
</section>`;
}

/** The numbers at the head of the report: at most four, of those experiments that have something to say. */
function headlines({ t, findings }: Context): [string, string][] {
  const { speed, init, learningRate, generalization } = findings;
  const cards: [string, string][] = [];
  const rate = learningRate?.compared?.batch.largest;
  if (speed?.share != null) cards.push([share(speed.share), t.at.share]);
  else if (speed?.batchBest != null && !speed.plainLearned && speed.plainBest !== null)
    cards.push([percent(speed.batchBest), t.at.untrained]);
  if (learningRate?.factor != null) cards.push([`${factor(learningRate.factor)}×`, t.at.rate]);
  else if (rate != null) cards.push([short(rate), t.at.rateOnly]);
  const { batch, plain } = init?.compared ?? {};
  if (batch && plain) cards.push([`${batch.works}/${batch.measured}`, t.at.scales(plain.works)]);
  if (generalization?.test) cards.push([points(generalization.test.mean), t.at.test]);
  return cards;
}

function closing({ t, results }: Context): Html {
  const { meta } = results;
  const { machine } = meta;
  const labels = t.reproduce.labels;
  return html`<section class="chapter" data-section="limits"><h2>${t.limits.name}</h2>
<ul>${t.limits.points(meta.preset).map((point) => html`<li>${point}</li>`)}</ul></section>
<section class="chapter" data-section="reproduce"><h2>${t.reproduce.name}</h2>
<pre><code>${meta.command}</code></pre><p>${t.reproduce.text}</p>
<h3>${t.reproduce.machine}</h3>${facts([
    [labels.date, meta.date.replace("T", " ").replace(/\.\d+Z$/, " UTC")],
    [labels.preset, meta.preset],
    [labels.seed, String(meta.seed)],
    [labels.version, meta.version],
    [labels.data, t.reproduce.data(meta.data.name, integer(meta.data.train), integer(meta.data.test))],
    [labels.cpu, machine.cpu],
    [labels.cores, String(machine.cores)],
    [labels.os, machine.os],
    [labels.node, machine.node],
    [labels.backend, t.reproduce.backend(machine.backend, machine.simd, machine.threads)],
    [labels.duration, duration(t, meta.seconds)],
  ])}</section>
<section class="chapter" data-section="papers"><h2>${t.papers}</h2>
<ul class="papers">${Object.entries(papers).map(
    ([key, paper]) =>
      html`<li id="${t.lang}-${key}" lang="en">${paper.authors} (${paper.year}). <cite>${paper.title}</cite>. <a href="https://arxiv.org/abs/${paper.arxiv}">arXiv:${paper.arxiv}</a></li>`,
  )}</ul></section>`;
}
