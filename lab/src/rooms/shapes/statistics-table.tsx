import { fixed } from "../../format.ts";

interface StatisticsTableProps {
  readonly caption: string;
  readonly values: readonly (readonly number[])[];
  readonly chosen: { readonly row: number; readonly column: number };
  readonly rowLabel: (row: number) => string;
  readonly name: string;
}

/** All statistics of a layer, the chosen place's marked. */
export function StatisticsTable({ caption, values, chosen, rowLabel, name }: StatisticsTableProps) {
  return (
    <table class="tiles" data-stat={name}>
      <caption>{caption}</caption>
      <tbody>
        {values.map((row, r) => (
          <tr key={rowLabel(r)}>
            <th scope="row">{rowLabel(r)}</th>
            {row.map((value, c) => {
              const isChosen = r === chosen.row && c === chosen.column;
              return (
                <td
                  key={`${name}${c}`}
                  class={isChosen ? "tile-chosen" : undefined}
                  aria-current={isChosen || undefined}
                >
                  {fixed(value, 2)}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
