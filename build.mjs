// Builds static/dist: every page script, island and stylesheet with a hashed name, compressed copies beside them, the icon
// sprite with just the icons in use, and manifest.json, which the template tag `asset` reads. Servers go on meanwhile: what is
// there is never written again, and goes only after two more builds, since open pages still load parts of their own build.
import { build, context } from "esbuild";
import { createHash } from "node:crypto";
import { access, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const OUT = "static/dist";
const KEPT_BUILDS = 3;
const isWatching = process.argv.includes("--watch");

async function filesUnder(folder, ending) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.filter((e) => e.isFile() && e.name.endsWith(ending)).map((e) => path.join(e.parentPath ?? e.path, e.name));
}

async function entryPoints() {
  const scripts = [...(await filesUnder("static/js/pages", ".js")), ...(await filesUnder("static/js/islands", ".js"))];
  return ["static/js/base.js", "static/js/shell.js", ...["app", "chat", "reviews", "places"].map((name) => `static/css/${name}.css`), ...scripts];
}

async function iconSprite() {
  const names = new Set();
  const sources = [...(await filesUnder("templates", ".html")), ...(await filesUnder("static/js", ".js")), ...(await filesUnder("webapp", ".py"))];
  for (const file of sources) {
    const text = await readFile(file, "utf8");
    for (const match of text.matchAll(/\bicon[ (]["']([a-z0-9-]+)["']/g)) names.add(match[1]);
  }
  const symbols = [];
  for (const name of [...names].sort()) {
    const svg = await readFile(`node_modules/lucide-static/icons/${name}.svg`, "utf8").catch(() => {
      throw new Error(`There is no icon “${name}” in lucide; a template or script asks for it.`);
    });
    const inner = svg.replace(/<!--.*?-->/gs, "").match(/<svg[^>]*>(.*)<\/svg>/s)[1].replace(/\s+/g, " ").trim();
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${inner}</symbol>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

/** Write a file, unless it is there: its name says what is in it. */
async function place(file, makeContent) {
  if (await access(file).then(() => true, () => false)) return;
  await mkdir(path.dirname(file), { recursive: true });
  await replaceFile(file, makeContent());
}

async function replaceFile(file, content) {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

/** Remember the files of this build; remove what only earlier ones had than the last few. */
async function clearAway(files) {
  const list = path.join(OUT, "builds.json");
  const written = await readFile(list, "utf8").catch(() => null);
  // What nobody has listed may be in use all the same.
  const before = written === null ? [(await filesUnder(OUT, "")).filter((file) => !/\.(gz|br)$/.test(file))] : JSON.parse(written);
  const same = JSON.stringify(files);
  const builds = [files, ...before.filter((build) => JSON.stringify(build) !== same)].slice(0, KEPT_BUILDS);
  await replaceFile(list, JSON.stringify(builds));
  const keep = new Set([list, path.join(OUT, "manifest.json"), ...builds.flat()]);
  for (const file of await filesUnder(OUT, "")) {
    if (!keep.has(file.replace(/\.(gz|br)$/, ""))) await rm(file, { force: true });
  }
}

async function finish(result) {
  for (const { path: file, contents } of result.outputFiles) await place(file, () => contents);
  const manifest = {};
  for (const [file, output] of Object.entries(result.metafile.outputs)) {
    if (!output.entryPoint) continue;
    const source = output.entryPoint.replace(/^static\/(js|css)\//, "");
    manifest[source] = path.relative(OUT, file);
  }
  const sprite = await iconSprite();
  const spriteName = `icons-${createHash("sha256").update(sprite).digest("hex").slice(0, 8).toUpperCase()}.svg`;
  await place(path.join(OUT, spriteName), () => sprite);
  manifest["icons.svg"] = spriteName;
  const outputs = [...Object.keys(result.metafile.outputs), path.join(OUT, spriteName)].sort();
  for (const file of outputs.filter((f) => /\.(js|css|svg)$/.test(f))) {
    const content = await readFile(file);
    await place(`${file}.gz`, () => gzipSync(content, { level: 9 }));
    await place(`${file}.br`, () => brotliCompressSync(content));
  }
  // Last and at once: a server that looks meanwhile sees the old build or the new one, never half of each.
  await replaceFile(path.join(OUT, "manifest.json"), JSON.stringify(manifest, null, 1));
  if (!isWatching) await clearAway(outputs);
}

const options = {
  entryPoints: await entryPoints(),
  outdir: OUT,
  outbase: "static",
  entryNames: "[name]-[hash]",
  chunkNames: "chunks/[name]-[hash]",
  assetNames: "assets/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: !isWatching,
  sourcemap: isWatching,
  metafile: true,
  write: false,
  legalComments: "none",
  loader: { ".woff2": "file", ".svg": "file" },
  plugins: [{ name: "manifest", setup: (b) => b.onEnd((result) => (result.errors.length ? undefined : finish(result))) }],
};

await mkdir(OUT, { recursive: true });
if (isWatching) {
  await (await context(options)).watch();
} else {
  await build({ ...options, logLevel: "warning" });
}
