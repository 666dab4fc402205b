/**
 * `npm run build`: makes JavaScript of the sources in dist/ (or in the folder that is named as an argument), bundled so that a
 * sidecar is ready sooner.
 *
 *     dist/src/cli/main.js                    the command line
 *     dist/src/worker/worker.js               a sidecar's worker thread
 *     dist/proto/                             what the bundles load at run time
 *     dist/package.json                       says that all of it are modules, which Node would otherwise find out file by file
 *
 * All bundles stand two folders below dist/, so that one relative path from each leads to what they load.
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const TARGET = resolve(ROOT, process.argv[2] ?? 'dist');
const ENTRIES = [
  { in: 'src/cli/main.ts', out: 'src/cli/main' },
  { in: 'src/sidecar/process/worker.ts', out: 'src/worker/worker' },
];

/** Files that find things beside themselves are told their place in the sources, from wherever the bundle put them. */
const keepPlaces: Plugin = {
  name: 'keep-places',
  setup(builder) {
    builder.onLoad({ filter: /src\/.*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return undefined;
      const place = path.slice(ROOT.length).replace(/\.ts$/, '.js');
      const here = `new URL(${JSON.stringify(`../../${place}`)}, import.meta.url).href`;
      return {
        loader: 'ts',
        contents: text.replaceAll("'./worker.ts'", "'../../worker/worker.js'").replaceAll('import.meta.url', here),
      };
    });
  },
};

if (existsSync(TARGET) && readdirSync(TARGET).length > 0 && !existsSync(join(TARGET, 'src/cli/main.js'))) {
  throw new Error(`${TARGET} holds something else than an earlier build: empty it, or name another folder`);
}
rmSync(TARGET, { recursive: true, force: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: ENTRIES,
  outdir: TARGET,
  chunkNames: 'src/chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: 'linked',
  legalComments: 'eof',
  banner: {
    js: "import { createRequire as weftCreateRequire } from 'node:module'; const require = weftCreateRequire(import.meta.url);",
  },
  plugins: [keepPlaces],
  logLevel: 'warning',
});
cpSync(join(ROOT, 'proto'), join(TARGET, 'proto'), { recursive: true });
writeFileSync(join(TARGET, 'package.json'), '{ "type": "module" }\n');
process.stdout.write(`built src/cli/main.js and src/worker/worker.js in ${TARGET}\n`);
