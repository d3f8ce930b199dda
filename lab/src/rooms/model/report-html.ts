import type { Distribution } from "evenkeel/tools";
import type { TFunction } from "i18next";
import type { ModelReport } from "../../engine/model/open.ts";
import { grouped, show } from "../../format.ts";
import { language } from "../../i18n.ts";
import { histogramPath, SIZE } from "./histogram.ts";
import { sizeOf, wordsOf } from "./words.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** Names come from a stranger's file. */
const text = (value: string) => value.replace(/[&<>"]/g, (sign) => ENTITIES[sign]);

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.6 system-ui, sans-serif; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid #8884; text-align: left; vertical-align: top; }
li { margin: .8rem 0; }
svg { display: block; width: 8rem; height: 2rem; fill: #3b7dc0; }
small { color: #777; }
.error { color: #c0392b; } .warning { color: #b8500f; } .note { color: #777; }`;

function cell(of: Distribution | null): string {
  if (!of) return "<td></td>";
  const bad = of.nonFinite > 0 ? ` <b class="error">${of.nonFinite} NaN/∞</b>` : "";
  const drawing = `<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" preserveAspectRatio="none"><path d="${histogramPath(of)}"/></svg>`;
  return `<td>${drawing}<small>${show(of.min)} … ${show(of.median)} … ${show(of.max)}${bad}</small></td>`;
}

/** The report as one file that shows itself without this page. */
export function reportHtml(report: ModelReport, t: TFunction): string {
  const { file, bytes, tensors, parameters, layers, findings, format } = report;
  const list = findings.map((finding) => {
    const { title, problem, remedy } = wordsOf(finding, report.texts, t);
    const severity = `<b class="${finding.severity}">${t(`severity.${finding.severity}`)}</b>`;
    return `<li>${severity} <b>${text(title)}</b> <code>${text(finding.path)}</code><br>${text(problem)}<br><small>${t("remedy")} ${text(remedy)}</small></li>`;
  });
  const rows = layers.map(
    ({ path, channels, weight, bias, runningMean, runningVar }) =>
      `<tr><td><code>${text(path)}</code><br><small>${t("layers.channels", { count: channels })}</small></td>${[weight, bias, runningMean, runningVar].map(cell).join("")}</tr>`,
  );
  const heads = ["weight", "bias", "runningMean", "runningVar"].map((name) => `<th>${t(`plot.${name}`)}</th>`);
  const facts = [
    t(`format.${format}`),
    sizeOf(bytes),
    `${t("about.tensors")}: ${grouped(tensors.length)}`,
    `${t("about.parameters")}: ${grouped(parameters)}`,
  ];
  return `<!doctype html>
<html lang="${language()}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(file)}</title><style>${STYLE}</style>
<h1>${text(file)}</h1>
<p>${facts.join(" · ")}</p>
<h2>${t("findings.title", { count: findings.length })}</h2>
${list.length > 0 ? `<ul>${list.join("\n")}</ul>` : `<p>${t("healthy")}</p>`}
<h2>${t("layers.title", { count: layers.length })}</h2>
<table><tr><th></th>${heads.join("")}</tr>
${rows.join("\n")}
</table>
<p><small>evenkeel · tools.inspect</small></p>
</html>
`;
}
