// npm ci && npm run build: writes monai_ich/report/viewer/viewer.min.js and the notices of what is in it.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../../monai_ich/report/viewer/";
const { metafile } = await build({
  entryPoints: ["viewer.mjs"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  alias: { zarrita: "./no_zarr.cjs" },
  logOverride: { "import-is-undefined": "silent" },
  outfile: out + "viewer.min.js",
  metafile: true,
});
const bundled = Object.keys(metafile.inputs).map((path) => path.match(/^node_modules\/((@[^/]+\/)?[^/]+)/)?.[1]);
const notices = [...new Set(bundled)].filter(Boolean).sort().map((name) => {
  const folder = `node_modules/${name}/`;
  const { version, license } = JSON.parse(readFileSync(folder + "package.json"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const path = file ? folder + file : `LICENSE.${name.split("/").pop()}`;
  if (!existsSync(path)) throw new Error(`no licence text of ${name}`);
  return `${name} ${version} (${license})\n\n${readFileSync(path, "utf8").trim()}\n`;
});
notices.push("Roboto (Apache-2.0), the font of the letters in the picture, copyright Google Inc.\n");
writeFileSync(out + "NOTICE.txt", notices.join("\n" + "-".repeat(80) + "\n\n"));
