import { defineConfig } from 'vite';

/** The pages that a server answers at `/`: everything they need is in what is built. */
export default defineConfig({
  root: import.meta.dirname,
  // Behind a proxy the server may be under a path of its own.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
