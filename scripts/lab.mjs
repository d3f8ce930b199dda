// The browser lab: node scripts/lab.mjs serve | build | measure. `npm run lab` builds what is stale, serves it and opens it.
import "./setup.mjs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const HELP = `npm run lab        builds what is stale, serves the lab on this machine and opens it
  --port N         at this port (default 4173, or the next that is free)
  --no-open        only prints the address
  --no-isolation   without the headers that let threads share memory, as on a host that cannot set them
  --dev            serves the sources, and reloads what changes
npm run build:lab  makes static files in build/lab that any host can serve
npm run lab:measure  measures the first view in headless Chromium`;

async function serve({ port, open, isolation, dev }) {
  const { createServer, preview } = await import("vite");
  const { ISOLATION } = await import("../lab/vite.config.mjs");
  const headers = isolation ? ISOLATION : {};
  const options = { port, open, headers, host: "localhost" };
  const common = { root: `${root}lab`, configFile: `${root}lab/vite.config.mjs`, logLevel: "warn" };
  const server = dev
    ? await createServer({ ...common, server: options })
    : await preview({ ...common, preview: options });
  if (dev) await server.listen();
  console.log(`The lab is at ${server.resolvedUrls.local[0]} (Ctrl+C ends it)`);
}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      port: { type: "string", default: "4173" },
      open: { type: "boolean", default: true },
      isolation: { type: "boolean", default: true },
      dev: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Error(`--port takes 1 to 65535, not ${values.port}`);
  return { ...values, port, command: positionals[0] };
}

try {
  const options = parse();
  const { buildLab } = await import("./build.mjs");
  await import("../lab/scripts/make-data.mjs");
  if (options.help) console.log(HELP);
  else if (options.command === "serve") {
    if (!options.dev) buildLab();
    await serve(options);
  } else if (options.command === "build") {
    buildLab();
    console.log("The lab is in build/lab: copy that folder to any host.");
  } else if (options.command === "measure") {
    buildLab();
    const { measure } = await import("./measure-lab.mjs");
    await measure();
  } else throw new Error(`scripts/lab.mjs takes serve, build or measure, not ${options.command}`);
} catch (error) {
  console.error(`${error.message}\n\n${HELP}`);
  process.exit(1);
}
