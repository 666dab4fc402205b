import { defineConfig } from 'vitest/config';

/** Tests against programs that others wrote. `npm run peers` installs them; a test that lacks its peer is skipped by name. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.peer.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
