// Builds static/dist: every page script, island and stylesheet with a hashed name, compressed copies beside them, the icon
// sprite with just the icons in use, and manifest.json, which the template tag `asset` reads.
import { build, context } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const OUT = "static/dist";
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

async function finish(result) {
  const manifest = {};
  for (const [file, output] of Object.entries(result.metafile.outputs)) {
    if (!output.entryPoint) continue;
    const source = output.entryPoint.replace(/^static\/(js|css)\//, "");
    manifest[source] = path.relative(OUT, file);
  }
  const sprite = await iconSprite();
  const spriteName = `icons-${createHash("sha256").update(sprite).digest("hex").slice(0, 8).toUpperCase()}.svg`;
  await writeFile(path.join(OUT, spriteName), sprite);
  manifest["icons.svg"] = spriteName;
  const outputs = [...Object.keys(result.metafile.outputs), path.join(OUT, spriteName)];
  for (const file of outputs.filter((f) => /\.(js|css|svg)$/.test(f))) {
    const content = await readFile(file);
    await writeFile(`${file}.gz`, gzipSync(content, { level: 9 }));
    await writeFile(`${file}.br`, brotliCompressSync(content));
  }
  // Written last and at once: a server that starts meanwhile sees the old build or the new one, never half of each.
  await writeFile(path.join(OUT, "manifest.json.new"), JSON.stringify(manifest, null, 1));
  await rename(path.join(OUT, "manifest.json.new"), path.join(OUT, "manifest.json"));
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
  legalComments: "none",
  loader: { ".woff2": "file", ".svg": "file" },
  plugins: [{ name: "manifest", setup: (b) => b.onEnd((result) => (result.errors.length ? undefined : finish(result))) }],
};

await mkdir(OUT, { recursive: true });
if (isWatching) {
  await (await context(options)).watch();
} else {
  const { metafile } = await build({ ...options, logLevel: "warning" });
  const manifest = JSON.parse(await readFile(path.join(OUT, "manifest.json"), "utf8"));
  const keep = new Set([...Object.keys(metafile.outputs), ...Object.values(manifest).map((f) => path.join(OUT, f)), path.join(OUT, "manifest.json")]);
  for (const file of await filesUnder(OUT, "")) {
    if (!keep.has(file.replace(/\.(gz|br)$/, ""))) await rm(file, { force: true });
  }
}
