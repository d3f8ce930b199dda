import { useEffect, useRef } from "preact/hooks";

interface FormulaProps {
  /** in TeX */
  readonly tex: string;
  /** on a line of its own */
  readonly block?: boolean;
}

type Katex = typeof import("katex")["default"];
let katex: Katex | undefined;
let loading: Promise<Katex> | undefined;

/** KaTeX comes when the first formula is drawn, and stays. */
function loadKatex(): Promise<Katex> {
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(
    ([module]) => (katex = module.default),
  );
  return loading;
}

/** A formula; a screen reader gets it as MathML. */
export function Formula({ tex, block = false }: FormulaProps) {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let wanted = true;
    const draw = (k: Katex) => {
      if (wanted && place.current)
        k.render(tex, place.current, { displayMode: block, throwOnError: false, strict: false });
    };
    if (katex) draw(katex);
    else loadKatex().then(draw);
    return () => {
      wanted = false;
    };
  }, [tex, block]);
  return <span ref={place} class={block ? "formula formula-block" : "formula"} />;
}
