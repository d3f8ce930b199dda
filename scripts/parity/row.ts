/** What shows that a row is true. */
export type Evidence =
  /** cases of test/golden/FILE.json whose names contain `name`; the test of that file runs every one */
  | { readonly golden: "norm" | "norm_more" | "layouts" | "print"; readonly name: string }
  /** a test by its file under test/ and its title, or for a table of tests the entry's */
  | { readonly test: string; readonly title: string }
  /** the API is drawn by npm run test:torch */
  | { readonly live: string };

export const STATUSES = {
  bit: "✅ same to the bit",
  close: "✅ within tolerance",
  same: "✅ same",
  differs: "⚠️ differs",
  missing: "❌ missing",
} as const;

/** A behaviour of PyTorch and what evenkeel makes of it. */
export interface Row {
  readonly api: string;
  readonly argument: string;
  readonly behaviour: string;
  readonly status: keyof typeof STATUSES;
  /** the PyTorch versions it was compared with */
  readonly torch: string;
  readonly evidence: readonly Evidence[];
  /** why PyTorch's behaviour was not followed, or when the missing comes */
  readonly reason?: string;
}

export const golden = (name: string, file: "norm" | "norm_more" | "layouts" | "print" = "norm"): Evidence => ({
  golden: file,
  name,
});
export const live = (api: string): Evidence => ({ live: api });
export const test = (file: string, title: string): Evidence => ({ test: `${file}.test.ts`, title });

/** Run on Debian's PyTorch, on a 2.x wheel, or read in 2.x's source. */
export const [OLD, NEW, BOTH, READ] = ["1.13.1", "2.13", "1.13.1, 2.13", "2.x source"];

/** Rows of one API. */
export function rows(
  api: string,
  ...of: (readonly [
    argument: string,
    behaviour: string,
    status: Row["status"],
    torch: string,
    evidence: readonly Evidence[],
    reason?: string,
  ])[]
): Row[] {
  return of.map(([argument, behaviour, status, torch, evidence, reason]) => ({
    api,
    argument,
    behaviour,
    status,
    torch,
    evidence,
    reason,
  }));
}
