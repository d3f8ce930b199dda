import { useEffect } from "preact/hooks";
import { useText } from "../../i18n.ts";
import { announce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { DropZone } from "../../ui/drop-zone.tsx";
import { RoomHead } from "../../ui/room-head.tsx";
import { Failure } from "./failure.tsx";
import { Report } from "./report.tsx";
import { useModel } from "./use-model.ts";
import { sizeOf } from "./words.ts";
import "./model.css";

/** Examines a checkpoint of the reader's. */
export default function ModelRoom() {
  const t = useText("model");
  const model = useModel();
  const { state } = model;
  const said =
    state.kind === "open"
      ? t("said.open", { layers: state.report.layers.length, findings: state.report.findings.length })
      : state.kind === "reading"
        ? t("said.reading", { file: state.file })
        : "";
  useEffect(() => {
    if (said) announce(said);
  }, [said]);
  return (
    <>
      <RoomHead room="model" title={t("title")} lede={t("lede")} />
      <div class={state.kind === "open" ? "model-gate model-gate-small" : "model-gate"}>
        <DropZone
          label={t(state.kind === "open" ? "gate.another" : "gate.drop")}
          button={t("gate.choose")}
          hint={t("gate.local")}
          accept=".pt,.pth,.bin,.ckpt,.safetensors"
          onFiles={([file]) => model.open(file)}
        />
        {state.kind !== "reading" && (
          <p class="model-sample">
            {t("gate.orSample")} <Button onClick={model.openSample}>{t("gate.sample")}</Button>
          </p>
        )}
      </div>
      {state.kind === "reading" && (
        <div class="model-reading">
          <label for="model-progress">
            {t("reading", { file: state.file })}
            {state.total > 0 && ` · ${sizeOf(state.done)} / ${sizeOf(state.total)}`}
          </label>
          <progress id="model-progress" value={state.done} max={Math.max(1, state.total)} />
        </div>
      )}
      {state.kind === "failed" && <Failure failure={state.failure} />}
      {state.kind === "open" && <Report report={state.report} model={model} />}
    </>
  );
}
