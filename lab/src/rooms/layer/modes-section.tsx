import { useMemo, useState } from "preact/hooks";
import { fixed, show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Section } from "../../ui/section.tsx";
import { Stat } from "../../ui/stat.tsx";
import { alone, inCompany, type LayerSettings, threeSteps } from "./batch.ts";
import { RowsPicture } from "./rows-picture.tsx";
import type { RunningLayer } from "./running.ts";

interface ModesProps {
  readonly settings: LayerSettings;
  readonly running: RunningLayer;
}

/** Whether the running statistics are so near the data's that what is left is the chance of a batch. */
function hasFound({ layer }: RunningLayer, { mean, spread }: LayerSettings): boolean {
  const apart = Math.abs(layer.runningMean!.item() - mean);
  const ratio = Math.sqrt(layer.runningVar!.item()) / spread;
  return apart < 0.35 * spread && ratio > 0.75 && ratio < 1.33;
}

const COMPANY = [101, 102, 103];

/** The same batch by its own statistics and by the running ones; one example in different company. */
export function ModesSection({ settings, running }: ModesProps) {
  const t = useText("layer");
  const [followed, setFollowed] = useState(2);
  const size = Math.max(2, settings.size);
  const same = { ...settings, size };
  const { x, y, mean, variance } = threeSteps(same);
  const evaluated = running.answer(same, x);
  const apart = Math.max(...y.map((value, i) => Math.abs(value - evaluated[i])));
  const chosen = Math.min(followed, size - 1);
  const company = inCompany(same, x[chosen], COMPANY);
  const { layer } = running;
  const rows = [
    { name: t("modes.train"), note: statistics(mean, Math.sqrt(variance)), values: y, mark: "after" },
    { name: "x", note: "", values: x, mark: "before" },
    {
      name: t("modes.eval"),
      note: statistics(layer.runningMean!.item(), Math.sqrt(layer.runningVar!.item())),
      values: evaluated,
      mark: "running",
    },
  ] as const;
  return (
    <Section title={t("modes.title")} text={t("modes.text")}>
      <Card>
        <div class="split split-even">
          <Figure title={t("modes.figure")} description={t("modes.words", { apart: show(apart) })}>
            <RowsPicture rows={rows} followed={chosen} onFollow={setFollowed} />
          </Figure>
          <div class="column">
            <dl class="stats">
              <Stat name="apart" label={t("modes.apart")} value={fixed(apart, 4)} />
            </dl>
            <p class="say">{t(hasFound(running, settings) ? "modes.near" : "modes.far")}</p>
            <h3>{t("modes.companyTitle", { value: show(x[chosen]) })}</h3>
            <table class="numbers">
              <thead>
                <tr>
                  <th scope="col">{t("modes.batch")}</th>
                  <th scope="col" class="is-after">
                    {t("modes.train")}
                  </th>
                  <th scope="col" class="is-running">
                    {t("modes.eval")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {company.map((answer, i) => (
                  <tr key={COMPANY[i]}>
                    <th scope="row">{"ABC"[i]}</th>
                    <td>{fixed(answer, 4)}</td>
                    <td>{fixed(evaluated[chosen], 4)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <p class="fine">{t("modes.company")}</p>
          </div>
        </div>
      </Card>
    </Section>
  );
}

const statistics = (mean: number, deviation: number) =>
  `(x − ${fixed(mean, 2)}) ÷ ${fixed(deviation, 2)}`.replace("− −", "+ ");

/** A batch of one: why training refuses it, and evaluation does not mind. */
export function AloneSection({ settings, running }: ModesProps) {
  const t = useText("layer");
  const value = settings.mean;
  const { error, y } = useMemo(() => {
    running.answer(settings, [value]);
    return alone(running.layer, value);
  }, [settings, running, value, running.history]);
  return (
    <Section title={t("alone.title")} text={t("alone.text")}>
      <div class="pair">
        <Card>
          <h3 class="is-after">{t("alone.train")}</h3>
          <pre class="code">{`new nn.BatchNorm1d(1).forward(tensor([[${show(value).replace("−", "-")}]]))`}</pre>
          <p class="notice notice-bad quoted" data-stat="alone-error">
            {error}
          </p>
        </Card>
        <Card>
          <h3 class="is-running">{t("alone.eval")}</h3>
          <pre class="code">{`layer.eval().forward(tensor([[${show(value).replace("−", "-")}]]))`}</pre>
          <dl class="stats">
            <Stat name="alone-y" label="y" value={fixed(y, 4)} mark="running" />
          </dl>
          <p class="fine">{t("alone.evalText")}</p>
        </Card>
      </div>
    </Section>
  );
}
