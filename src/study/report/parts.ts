import type { Settings } from "../results.ts";
import { integer } from "./format.ts";
import { type Html, html, type Part } from "./html.ts";
import type { Strings } from "./i18n/en.ts";
import type { Verdict } from "./judge.ts";

/** A table whose first column names the row. */
export function table(head: readonly Part[], rows: readonly (readonly Part[])[]): Html {
  return html`<div class="scroll" tabindex="0"><table><thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows.map(([name, ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** A figure with its caption underneath. */
export function figure(plot: Html, caption: Part): Html {
  return html`<figure>${plot}<figcaption>${caption}</figcaption></figure>`;
}

const marks: Record<Verdict, string> = { holds: "●", part: "◐", fails: "○", open: "–" };

/** A verdict as a word with a mark. */
export function badge(t: Strings, verdict: Verdict, finished: boolean): Html {
  return html`<span class="badge ${verdict}"><span aria-hidden="true">${marks[verdict]}</span> ${t.verdicts[verdict]}</span>${
    finished ? null : html` <span class="unfinished">${t.unfinished}</span>`
  }`;
}

/** Seconds as people say them. */
export function duration(t: Strings, seconds: number): string {
  if (seconds < 60) return t.seconds(seconds.toFixed(seconds < 10 ? 1 : 0));
  const whole = Math.round(seconds);
  if (whole < 3600) return t.minutes(Math.floor(whole / 60), whole % 60);
  return t.hours(Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}

/** A list of names and values. */
export function facts(pairs: readonly (readonly [string, Part])[]): Html {
  return html`<dl>${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** The settings of an experiment, those that it has. */
export function settingsList(t: Strings, settings: Settings, seconds: number): Html {
  const count = (value: number | undefined) => (value === undefined ? undefined : integer(value));
  const pairs: [string, string | undefined][] = [
    [t.settings.network, settings.network],
    [t.settings.activation, settings.activation],
    [t.settings.weights, settings.weights],
    [t.settings.optimizer, settings.optimizer],
    [t.settings.learningRate, settings.learningRate === undefined ? undefined : String(settings.learningRate)],
    [t.settings.batchSize, count(settings.batchSize)],
    [t.settings.steps, count(settings.steps)],
    [t.settings.epochs, count(settings.epochs)],
    [t.settings.groups, count(settings.groups)],
    [t.settings.seeds, settings.seeds.join(", ")],
    [t.settings.trainSamples, count(settings.trainSamples)],
    [t.settings.testSamples, count(settings.testSamples)],
    [t.settings.duration, duration(t, seconds)],
  ];
  return facts(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
}
