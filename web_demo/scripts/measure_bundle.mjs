/** Prints what the first load of the page costs, and fails above the budget. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_KIB = 120;
const dist = new URL("../dist/", import.meta.url).pathname;
const page = readFileSync(join(dist, "index.html"), "utf-8");
const assets = readdirSync(join(dist, "assets")).filter((name) => /\.(js|css)$/.test(name));
const first = new Set(assets.filter((name) => page.includes(name)));

let scripts = 0;
for (const name of assets) {
  const kib = gzipSync(readFileSync(join(dist, "assets", name))).length / 1024;
  if (first.has(name) && name.endsWith(".js")) scripts += kib;
  console.log(`${kib.toFixed(1).padStart(7)} KiB gzip  ${first.has(name) ? "first load" : "later     "}  ${name}`);
}
console.log(`${scripts.toFixed(1).padStart(7)} KiB gzip  of script at first load, budget ${BUDGET_KIB}`);
if (scripts > BUDGET_KIB) process.exit(1);
