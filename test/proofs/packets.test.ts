// Packets that are legal but for a few bytes, and bytes that are no packet, by three seeds: nothing ends the gateway or reaches others.
import { test } from 'vitest'
import { randomCases } from '../packets/cases/random.ts'
import { expectNoFailures } from '../packets/gateway.ts'

const count = process.env.WEIR_LONG ? 30_000 : 3_000

test.each([1, 2, 3])(
  'random packets, seed %i',
  async (seed) => {
    await expectNoFailures(randomCases(seed, count))
  },
  600_000,
)
