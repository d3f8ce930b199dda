import { useState } from "preact/hooks";
import { grouped } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Button } from "../../ui/button.tsx";
import { DropZone } from "../../ui/drop-zone.tsx";
import type { Training } from "./use-training.ts";

/** Trains on IDX files of the user's instead of the page's own images. */
export function OwnData({ training }: { training: Training }) {
  const t = useText("train");
  const { run, dataFailure } = training;
  const [names, setNames] = useState<readonly string[]>([]);
  return (
    <div class="train-data">
      <p data-data={run?.ownData ? "own" : "shipped"}>
        {run &&
          t(run.ownData ? "data.own" : "data.shipped", {
            train: grouped(run.trainImages),
            test: grouped(run.testImages),
            files: names.join(", "),
          })}
      </p>
      <DropZone
        label={t("data.drop")}
        button={t("data.choose")}
        hint={t("data.hint")}
        multiple
        onFiles={(files) => {
          setNames(files.map(({ name }) => name));
          training.useFiles(files);
        }}
      />
      {dataFailure && (
        <div class="notice notice-bad" role="alert">
          <strong>{t("data.wrong")}</strong>
          <p lang="en">{dataFailure}</p>
        </div>
      )}
      {run?.ownData && (
        <Button
          onClick={() => {
            setNames([]);
            training.useFiles([]);
          }}
        >
          {t("data.back")}
        </Button>
      )}
    </div>
  );
}
