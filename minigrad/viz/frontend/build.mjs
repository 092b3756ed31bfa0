// Bundles src/ with its packages into ../assets, and copies the packages' licences there.
// The first line of the script has a hash of all that it was built from; a test compares it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../assets";
mkdirSync(out, { recursive: true });
const files = ["package-lock.json", ...readdirSync("src").sort().map((name) => `src/${name}`)];
const hash = createHash("sha256");
for (const file of files) hash.update(readFileSync(file));
const banner = `/*! minigrad's graph page, built from ${hash.digest("hex")}; licences: LICENSES.txt */`;
const options = { bundle: true, minify: true, charset: "ascii", legalComments: "none", metafile: true };
const script = await build({
  ...options, entryPoints: ["src/main.js"], format: "iife", target: "es2020",
  outfile: `${out}/graph.js`, banner: { js: banner },
});
await build({ ...options, entryPoints: ["src/style.css"], outfile: `${out}/graph.css` });

const packages = new Set();
for (const input of Object.keys(script.metafile.inputs)) {
  const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`));
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].find((x) => existsSync(`${folder}/${x}`));
  if (!file) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
});
const head = "graph.js contains these packages, under these licences.\n\n";
writeFileSync(`${out}/LICENSES.txt`, head + licences.join(`\n${"-".repeat(80)}\n\n`));
