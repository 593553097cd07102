import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: './',
  // vtk.js reaches this package only through its XML reader, which the viewer never calls. Bundled, it
  // needs Node's `events` and the page stays blank with "Class extends value undefined".
  resolve: { alias: { xmlbuilder2: here('./src/stub-xmlbuilder2.js') } },
  publicDir: here('./public'),
  build: {
    target: 'es2022',
    outDir: here('../static/viewer'),
    emptyOutDir: true,
    assetsInlineLimit: 0, // an inlined asset would be a data: URL, which the pages' policy refuses
    chunkSizeWarningLimit: 4000, // kB; one file is wanted
    license: { fileName: 'THIRD-PARTY-LICENSES.md' },
    rollupOptions: {
      input: here('./src/main.js'),
      output: { entryFileNames: 'viewer.js', assetFileNames: 'viewer[extname]', codeSplitting: false },
    },
  },
});
