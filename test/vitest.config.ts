// The kinds of test run: unit (parts), e2e (whole programs on real sockets), proofs (programs that are killed, starved and cut off).
import { defineConfig } from 'vitest/config'

const unit = ['test/*.test.ts', 'test/{bin,lib,gateway,device-sim,cost,infra,contract,cases}/**/*.test.ts']

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    // Most of a test's time is waiting for sockets and processes, so more workers than cores pay.
    maxWorkers: 4,
    projects: [
      { extends: true, test: { name: 'unit', include: unit, testTimeout: 60_000 } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 120_000 } },
      {
        extends: true,
        test: { name: 'proofs', include: ['test/proofs/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000, maxWorkers: 1 },
      },
    ],
  },
})
