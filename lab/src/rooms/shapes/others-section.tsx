import { fixed } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Card } from "../../ui/card.tsx";
import { Section } from "../../ui/section.tsx";
import { withOthers } from "./compute.ts";
import { type Cell, cellsOf, KINDS, type ShapeSettings } from "./kinds.ts";

/** What changes for one sample when all the others are exchanged. */
export function OthersSection({ settings, chosen }: { settings: ShapeSettings; chosen: Cell }) {
  const t = useText("shapes");
  const samples = Math.max(2, settings.samples);
  const rows = KINDS.map((kind) => {
    const same = { ...settings, kind, samples };
    const place = cellsOf(same).findIndex(
      ({ n, c, h, w }) => n === chosen.n && c === chosen.c && h === chosen.h && w === chosen.w,
    );
    return { kind, result: withOthers(same, chosen.n, place) };
  });
  return (
    <Section title={t("others.title")} text={t("others.text", { n: chosen.n + 1 })}>
      <Card>
        <div class="scroll-free">
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{t("others.layer")}</th>
                <th scope="col">{t("others.now")}</th>
                <th scope="col">{t("others.among")}</th>
                <th scope="col">{t("others.moved")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ kind, result }) => (
                <tr key={kind} class={kind === settings.kind ? "chosen" : undefined}>
                  <th scope="row">{t(`kinds.${kind}`)}</th>
                  <td>{result ? fixed(result.now, 4) : "–"}</td>
                  <td>{result ? fixed(result.among, 4) : "–"}</td>
                  <td data-stat={`moved-${kind}`} class={result && result.now !== result.among ? "is-bad" : undefined}>
                    {result ? fixed(result.among - result.now, 4) : "–"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </Section>
  );
}
