// Writes PARITY.md from the table beside this file.
//   npm run parity
import { writeFileSync } from "node:fs";
import { page, ROWS } from "./page.ts";

writeFileSync("PARITY.md", page());
console.log(`PARITY.md: ${ROWS.length} rows`);
