import type { ThreeSteps } from "../results.ts";
import { threeStepsFigure } from "./figures-run.ts";
import { decimal, integer } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import { figure, table } from "./parts.ts";
import type { Tools } from "./plot.ts";

/** A number in TeX; braces make its minus a sign, not a subtraction. */
const tex = (value: number) => (value < 0 ? `{${value.toFixed(3)}}` : value.toFixed(3));
/** A number as a factor or after a sign: in parentheses where it is negative. */
const inner = (value: number) => (value < 0 ? `(${tex(value)})` : tex(value));
const sum = (values: readonly number[]) =>
  values.map((v, i) => (i > 0 && v >= 0 ? `+${tex(v)}` : v.toFixed(3))).join("");

/** The chapter that works batch norm through on one mini-batch of the run. */
export function threeStepsChapter(tools: Tools, t: Strings, steps: ThreeSteps): Html {
  const { math } = tools;
  const { x, mean, eps, xhat, gamma, beta, y, running, yEval } = steps;
  const m = x.length;
  const epsTex = eps
    .toExponential(0)
    .replace(/(\d)e-(\d+)/, (_, digit, power) => `${digit === "1" ? "" : `${digit}\\cdot`}10^{-${power}}`);
  const squares = [x[0], x[m - 1]]
    .map((v) => `(${tex(v)}${mean < 0 ? "+" : "-"}${tex(Math.abs(mean))})^2`)
    .join("+\\dots+");
  const line = (formula: string) => html`<div class="formula" tabindex="0">${math(formula, true)}</div>`;
  const step = (number: number, name: string, text: string, formulas: string[]) =>
    html`<li><h3><span class="number">${number}</span>${name}</h3><p>${text}</p>${formulas.map(line)}</li>`;
  const first = (formula: string) => `\\displaystyle ${formula}`;

  const id = `${t.lang}-steps`;
  return html`<section class="chapter" id="${id}" data-section="steps">
<h2>${t.three.name}</h2>
<p class="lede">${t.three.lead(steps.layer, steps.unit, integer(steps.step), m)}</p>
${figure(threeStepsFigure(tools, t, { id: `${id}-fig`, title: t.three.figure, desc: t.three.figureDesc(m) }, steps), `${t.three.figure} · ${t.three.mean}`)}
<ol class="steps">
${step(1, t.three.normalize, t.three.normalizeText, [
  `\\mu=\\frac1m\\sum_{i=1}^{m}x_i=\\tfrac1{${m}}(${sum(x)})=${tex(mean)}`,
  `\\sigma^2=\\frac1m\\sum_{i=1}^{m}(x_i-\\mu)^2=\\tfrac1{${m}}\\left[${squares}\\right]=${tex(steps.var)}`,
  first(
    `\\hat x_1=\\frac{x_1-\\mu}{\\sqrt{\\sigma^2+\\varepsilon}}=\\frac{${tex(x[0])}${mean < 0 ? "+" : "-"}${tex(Math.abs(mean))}}{\\sqrt{${tex(steps.var)}+${epsTex}}}=${tex(xhat[0])}`,
  ),
])}
${step(2, t.three.scale, t.three.scaleText, [`\\gamma\\,\\hat x_1=${tex(gamma)}\\cdot${inner(xhat[0])}=${tex(gamma * xhat[0])}`])}
${step(3, t.three.shift, t.three.shiftText, [
  `y_1=\\gamma\\,\\hat x_1+\\beta=${tex(gamma * xhat[0])}${beta < 0 ? "-" : "+"}${tex(Math.abs(beta))}=${tex(y[0])}`,
])}
</ol>
<h3>${t.three.trainEval}</h3>
<p>${t.three.trainText}</p>
${line(`\\mu_\\text{run}\\leftarrow(1-${running.momentum})\\cdot${inner(running.meanBefore)}+${running.momentum}\\cdot${inner(mean)}=${tex(running.meanAfter)}`)}
${line(`\\sigma^2_\\text{run}\\leftarrow(1-${running.momentum})\\cdot${inner(running.varBefore)}+${running.momentum}\\cdot${inner(running.unbiasedVar)}=${tex(running.varAfter)}`)}
<p>${t.three.evalText}</p>
${line(`y_1=${tex(gamma)}\\cdot\\frac{${tex(x[0])}${running.meanAfter < 0 ? "+" : "-"}${tex(Math.abs(running.meanAfter))}}{\\sqrt{${tex(running.varAfter)}+${epsTex}}}${beta < 0 ? "-" : "+"}${tex(Math.abs(beta))}=${tex(yEval[0])}`)}
<details open><summary>${t.three.caption}</summary>
${table(
  [
    t.three.sample,
    math("x_i"),
    math("x_i-\\mu"),
    math("\\hat x_i"),
    math("\\gamma\\hat x_i"),
    t.three.trainColumn,
    t.three.evalColumn,
  ],
  x.map((v, i) => [String(i + 1), ...[v, v - mean, xhat[i], gamma * xhat[i], y[i], yEval[i]].map((n) => decimal(n))]),
)}
<p class="note">${t.three.rounded}</p></details>
</section>`;
}
