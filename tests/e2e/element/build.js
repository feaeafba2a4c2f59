// Builds Element's client into dist/: its program, its style, and its words. Nothing of it is part of the product.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import * as esbuild from "esbuild";
import postcss from "postcss";
import easings from "postcss-easings";
import hexrgba from "postcss-hexrgba";
import imports from "postcss-import";
import mixins from "postcss-mixins";
import nested from "postcss-nested";
import scss from "postcss-scss";
import variables from "postcss-simple-vars";

const SDK = resolve("node_modules/matrix-react-sdk");
const THEME = join(SDK, "res/themes/light/css/light.pcss");

/** The path of something in a package, as seen from a folder. */
function inPackages(name, from) {
    const found = join(from, "node_modules", name);
    if (existsSync(found)) return found;
    if (from === dirname(from)) throw new Error(`${name} is not installed`);
    return inPackages(name, dirname(from));
}

async function style() {
    const find = (name, from) => (/^[._]/.test(name) ? resolve(from, name) : inPackages(name, from));
    const steps = [imports({ resolve: find }), mixins(), variables(), nested(), easings(), hexrgba()];
    const { root } = await postcss(steps).process(await readFile(THEME), { from: THEME, syntax: scss });
    const css = root.toString(postcss.stringify);
    const local = new Set([...css.matchAll(/url\(["']?([^)"']+)["']?\)/g)].map(([, address]) => address));
    const moved = new Map();
    for (const address of local) {
        if (/^(data:|https?:|#)/.test(address)) continue;
        const path = address.replace(/[?#].*$/, "");
        const beside = [resolve(dirname(THEME), path), join(SDK, path.replace(/^.*?res\//, "res/"))];
        const file = path.startsWith("@") ? inPackages(path, SDK) : beside.find(existsSync);
        await cp(file, join("dist/assets", basename(file)));
        moved.set(address, `assets/${basename(file)}`);
    }
    await writeFile("dist/style.css", css.replace(/url\((["']?)([^)"']+)\1\)/g, (all, _, to) => `url("${moved.get(to) ?? to}")`));
}

/** An SVG is an address, and a component. */
const pictures = {
    name: "pictures",
    setup(build) {
        const component = (path) =>
            `import { createElement } from "react"; import url from ${JSON.stringify(`${path}?address`)};
             export default url; export const Icon = (props) => createElement("img", { ...props, src: url });`;
        build.onLoad({ filter: /\.svg$/, namespace: "file" }, ({ path }) => ({ contents: component(path), resolveDir: dirname(path) }));
        build.onResolve({ filter: /\.svg\?address$/ }, ({ path }) => ({ path: path.replace("?address", ""), namespace: "picture" }));
        build.onLoad({ filter: /.*/, namespace: "picture" }, async ({ path }) => ({ contents: await readFile(path), loader: "file" }));
    },
};

/** Files that are wanted as text. */
const texts = {
    name: "texts",
    setup(build) {
        build.onResolve({ filter: /^!!raw-loader!/ }, ({ path, resolveDir }) => {
            const file = resolve(resolveDir, path.replace("!!raw-loader!", ""));
            return { path: existsSync(file) ? file : `${file}.js`, namespace: "text" };
        });
        build.onLoad({ filter: /.*/, namespace: "text" }, async ({ path }) => ({ contents: await readFile(path), loader: "text" }));
    },
};

/** Workers and sound recording need files of their own, and no picture shows what they do. */
const leftOut = {
    name: "left out",
    setup(build) {
        const idle = "export default () => ({ addEventListener() {}, postMessage() {}, terminate() {} });";
        build.onLoad({ filter: /orker(\.min)?\.js$|RecorderWorklet\.ts$/ }, () => ({ contents: "export default {};" }));
        build.onLoad({ filter: /WorkerFactory\.ts$|\.worker\.ts$/ }, ({ path }) => ({
            contents: path.endsWith("indexeddbWorkerFactory.ts") ? "export default undefined;" : idle,
        }));
    },
};

async function program() {
    const asFiles = [".gif", ".jpg", ".mp3", ".ogg", ".png", ".ttf", ".wasm", ".woff", ".woff2"];
    await esbuild.build({
        entryPoints: ["client.js"],
        outdir: "dist",
        bundle: true,
        format: "esm",
        target: "es2022",
        publicPath: "/",
        assetNames: "assets/[name]-[hash]",
        loader: Object.fromEntries(asFiles.map((extension) => [extension, "file"])),
        plugins: [leftOut, pictures, texts],
        inject: ["standins/globals.js"],
        alias: {
            $webapp: resolve("dist"),
            crypto: resolve("standins/nothing.js"),
            fs: resolve("standins/nothing.js"),
            path: resolve("standins/nothing.js"),
            util: resolve("standins/util.js"),
        },
        define: { "process.env.NODE_ENV": '"production"', global: "window" },
        tsconfigRaw: { compilerOptions: { experimentalDecorators: true, jsx: "react", useDefineForClassFields: false } },
        logLevel: "error",
    });
}

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Element</title>
<link rel="stylesheet" href="style.css">
<body class="cpd-theme-light" style="height: 100%; margin: 0">
<section id="matrixchat" style="height: 100%"></section>
<script type="module" src="client.js"></script>
`;

await mkdir("dist/i18n", { recursive: true });
await cp(join(SDK, "src/i18n/strings/en_EN.json"), "dist/i18n/en_EN.json");
await writeFile("dist/i18n/languages.json", '{"en": "en_EN.json"}');
await writeFile("dist/index.html", PAGE);
await Promise.all([style(), program()]);
