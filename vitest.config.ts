import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Examples and snippets import the package by its name, as its users do.
  resolve: { alias: { svmsim: fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Most test files are over before code that is optimized sooner pays.
    execArgv: ['--interrupt-budget=400000'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
