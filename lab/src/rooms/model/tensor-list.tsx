import { useState } from "preact/hooks";
import type { TensorEntry } from "../../engine/model/open.ts";
import { useText } from "../../i18n.ts";
import { Button } from "../../ui/button.tsx";

const PAGE = 200;

/** Every tensor of the file, folded until somebody asks. */
export function TensorList({ tensors }: { tensors: readonly TensorEntry[] }) {
  const t = useText("model");
  const [shown, setShown] = useState(PAGE);
  const [search, setSearch] = useState("");
  const words = search.trim().toLowerCase();
  const matching = tensors.filter(({ key }) => key.toLowerCase().includes(words));
  return (
    <details class="model-tensors">
      <summary>{t("tensors.show")}</summary>
      <div class="model-search">
        <input
          type="search"
          aria-label={t("tensors.search")}
          placeholder={t("tensors.search")}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <div class="model-table">
        <table>
          <thead>
            <tr>
              <th scope="col">{t("tensors.key")}</th>
              <th scope="col">{t("tensors.shape")}</th>
              <th scope="col">{t("tensors.dtype")}</th>
            </tr>
          </thead>
          <tbody>
            {matching.slice(0, shown).map(({ key, shape, dtype }) => (
              <tr key={key}>
                <td>{key}</td>
                <td>[{shape.join(", ")}]</td>
                <td>{dtype}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown < matching.length && (
        <Button onClick={() => setShown(shown + PAGE)}>
          {t("tensors.more", { count: Math.min(PAGE, matching.length - shown) })}
        </Button>
      )}
    </details>
  );
}
