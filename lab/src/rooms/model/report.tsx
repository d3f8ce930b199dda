import { useMemo, useState } from "preact/hooks";
import type { ModelReport } from "../../engine/model/open.ts";
import { grouped } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Button } from "../../ui/button.tsx";
import { Section } from "../../ui/section.tsx";
import { Stat } from "../../ui/stat.tsx";
import { Findings } from "./findings.tsx";
import { Layers } from "./layers.tsx";
import { reportHtml } from "./report-html.ts";
import { TensorList } from "./tensor-list.tsx";
import type { OpenModel } from "./use-model.ts";
import { sizeOf } from "./words.ts";

/** Gives a file to the reader's downloads. */
function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Everything that is known of an open file. */
export function Report({ report, model }: { report: ModelReport; model: OpenModel }) {
  const t = useText("model");
  const [search, setSearch] = useState("");
  const [onlyFound, setOnlyFound] = useState(false);
  const [saving, setSaving] = useState(false);
  const { file, layers, findings, tensors, parts, part, format } = report;
  const words = search.trim().toLowerCase();
  const found = useMemo(() => new Set(findings.map(({ path }) => path)), [findings]);
  const matching = layers.filter(({ path }) => path.toLowerCase().includes(words) && (!onlyFound || found.has(path)));
  const base = file.replace(/\.[^.]+$/, "");

  const showLayer = (path: string) => {
    setSearch(path);
    setOnlyFound(false);
    document.getElementById("model-layers")?.scrollIntoView();
  };
  const convert = async () => {
    setSaving(true);
    const blob = await model.safetensors();
    if (blob) download(blob, `${base}.safetensors`);
    setSaving(false);
  };

  return (
    <div class="model-report" data-report={file}>
      <section class="card model-summary">
        <h2>{file}</h2>
        <dl class="stats">
          <Stat label={t("about.format")} value={t(`format.${format}`)} />
          <Stat label={t("about.size")} value={sizeOf(report.bytes)} />
          <Stat label={t("about.tensors")} name="tensors" value={grouped(tensors.length)} />
          <Stat label={t("about.parameters")} name="parameters" value={grouped(report.parameters)} />
          <Stat label={t("about.layers")} name="layers" value={grouped(layers.length)} />
          <Stat label={t("about.time")} value={`${(report.milliseconds / 1000).toFixed(2)} s`} />
        </dl>
        {parts.length > 1 && (
          <p class="model-part">
            <label for="model-part">{t("about.part")}</label>
            <select id="model-part" value={part} onChange={(event) => model.showPart(event.currentTarget.value)}>
              {parts.map(({ path, tensors: count }) => (
                <option key={path} value={path}>
                  {path || t("wholeFile")} ({t("about.partTensors", { count })})
                </option>
              ))}
            </select>
          </p>
        )}
        <div class="buttons">
          <Button
            onClick={() => download(new Blob([reportHtml(report, t)], { type: "text/html" }), `${base}-report.html`)}
          >
            {t("save.html")}
          </Button>
          <Button
            onClick={() =>
              download(new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }), `${base}-report.json`)
            }
          >
            {t("save.json")}
          </Button>
          {format !== "safetensors" && (
            <Button disabled={saving} onClick={convert}>
              {t(saving ? "save.working" : "save.safetensors")}
            </Button>
          )}
        </div>
      </section>
      <Section
        title={t("findings.title", { count: findings.length })}
        text={layers.length > 0 ? t("findings.text") : []}
      >
        {layers.length > 0 ? (
          <Findings findings={findings} texts={report.texts} onShow={showLayer} />
        ) : (
          <p>{t("noNorms")}</p>
        )}
      </Section>
      {layers.length > 0 && (
        <Section title={t("layers.title", { count: layers.length })} text={t("layers.text")}>
          <div class="model-search" id="model-layers">
            <input
              type="search"
              aria-label={t("layers.search")}
              placeholder={t("layers.search")}
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
            <label>
              <input
                type="checkbox"
                checked={onlyFound}
                onChange={(event) => setOnlyFound(event.currentTarget.checked)}
              />
              {t("layers.onlyFound")}
            </label>
            <span class="hint" role="status">
              {t("layers.matching", { count: matching.length })}
            </span>
          </div>
          <Layers key={words + String(onlyFound)} layers={matching} findings={findings} />
        </Section>
      )}
      <Section title={t("tensors.title", { count: tensors.length })}>
        <TensorList tensors={tensors} />
      </Section>
    </div>
  );
}
