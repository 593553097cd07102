import { appendFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outDir = here('../static/viewer');
const LICENCES = 'THIRD-PARTY-LICENSES.md';

/** Vite collects the licence files of the packages; some packages have none. */
const missingLicences = {
  name: 'missing-licences',
  closeBundle: {
    order: 'post',
    handler: () => appendFileSync(`${outDir}/${LICENCES}`, readFileSync(here('./missing-licences.md'))),
  },
};

export default defineConfig({
  base: './',
  plugins: [missingLicences],
  // vtk.js reaches this package only through its XML reader, which the viewer never calls. Bundled, it
  // needs Node's `events` and the page stays blank with "Class extends value undefined".
  resolve: { alias: { xmlbuilder2: here('./src/stub-xmlbuilder2.js') } },
  publicDir: false,
  build: {
    target: 'es2022',
    outDir,
    emptyOutDir: true,
    assetsInlineLimit: 0, // an inlined asset would be a data: URL, which the pages' policy refuses
    chunkSizeWarningLimit: 4000, // kB; one file is wanted
    license: { fileName: LICENCES },
    rollupOptions: {
      input: here('./src/main.js'),
      output: { entryFileNames: 'viewer.js', assetFileNames: 'viewer[extname]', codeSplitting: false },
    },
  },
});
