import { defineConfig } from 'vitest/config';

/** Unit, law, integration, conformance and simulation tests: no network beyond loopback, every port is 0. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/peers/**/*.peer.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
