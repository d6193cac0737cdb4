import { expect, test } from 'vitest'
import { measureOrdering, orderingText } from '../../../gateway/cli/ordering.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryBench } from '../../helpers/memory-bench.ts'

test('of one stream with failures, the standard queue inverts and the FIFO queue does not', async () => {
  const clock = createManualClock()
  const bench = createMemoryBench(clock)
  const report = await bench.run(measureOrdering({ devices: 8, count: 25, failures: 0.05, seed: 7 }, bench, clock))
  expect(report).toMatchObject({
    messages: 200,
    standard: { handled: 200 },
    fifo: { handled: 200, inversions: 0, devicesWithInversions: 0 },
  })
  expect(report.standard.failures).toBeGreaterThan(0)
  expect(report.standard.inversions).toBeGreaterThan(0)
  const text = orderingText(report)
  expect(text).toMatch(/standard +FIFO/)
  expect(text).toMatch(/handled a second/)
  expect(text).toMatch(/requests per message/)
}, 30_000)
