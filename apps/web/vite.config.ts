import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

// Users get React as it is made for them, whatever started the build: a test runner sets this to `test`, and React would
// then mount everything twice and be three times as large.
process.env['NODE_ENV'] = 'production'

// The page is served by the node from memory under a policy that allows no inline script or style.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'error',
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // A font or picture inside the style sheet would need a policy that allows data.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
})
