import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('.', import.meta.url))

// Tests read the packages' sources, so that a test never runs against a stale build.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@godwit\/(protocol|engine|redis)\/(.*)$/, replacement: `${root}packages/$1/src/$2.ts` },
      { find: /^@godwit\/(rendezvous|node|cli)\/(.*)$/, replacement: `${root}apps/$1/src/$2.ts` },
    ],
  },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.e2e.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
  },
})
