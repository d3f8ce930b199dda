import type { Finding } from "evenkeel/tools";
import type { TFunction } from "i18next";
import type { ModelReport } from "../../engine/model/open.ts";
import { show } from "../../format.ts";
import { language } from "../../i18n.ts";

/** A text with the evidence in the places of its names in braces. */
function fillIn(text: string, evidence: Finding["evidence"]): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = evidence[name];
    return value === undefined ? whole : typeof value === "number" ? show(value) : value;
  });
}

/** What a finding says, in the page's language. English is the library's own. */
export function wordsOf({ code, evidence }: Finding, texts: ModelReport["texts"], t: TFunction) {
  const own = language() === "en" ? texts[code] : undefined;
  const say = (part: "problem" | "remedy") => {
    const text = own ? sentence(own[part]) : t(`finding.${code}.${part}`);
    return fillIn(text, evidence);
  };
  return { title: t(`finding.${code}.title`), problem: say("problem"), remedy: say("remedy") };
}

const sentence = (text: string) => `${text[0].toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;

/** A file's size in MB or kB, as they are counted in decimal. */
export function sizeOf(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
