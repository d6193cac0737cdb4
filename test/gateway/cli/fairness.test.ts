import { expect, test } from 'vitest'
import { fairnessCommand, fairnessText, measureFairness } from '../../../gateway/cli/fairness.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryBench } from '../../helpers/memory-bench.ts'

const silent = () => {}

test('a hundredfold tenant: quiet ones wait at most twice as long as alone, ten times less than without fairness, at the same throughput', async () => {
  const clock = createManualClock()
  const bench = createMemoryBench(clock)
  const report = await bench.run(measureFairness({ noisy: 'acme', times: 100, seed: 7, duration: 3_000, rate: 4 }, bench, clock, silent))
  expect(report.on.handled).toBe(report.off.handled)
  expect(report.againstAlone).toBeLessThanOrEqual(2)
  expect(report.againstOff).toBeGreaterThanOrEqual(10)
  expect(report.throughput).toBeGreaterThanOrEqual(0.95)
  expect(report.kept).toBe(true)
  expect(report.on.sidelined).toBeGreaterThan(0)
  expect(report.off.sidelined).toBe(0)
  const text = fairnessText(report)
  expect(text).toContain('fairness off')
  expect(text).toContain('fairness on')
}, 30_000)

test('the same seed gives the same report', async () => {
  const once = async () => {
    const clock = createManualClock()
    const bench = createMemoryBench(clock)
    return bench.run(measureFairness({ noisy: 'acme', times: 20, seed: 3, duration: 500, rate: 4 }, bench, clock, silent))
  }
  expect(await once()).toEqual(await once())
}, 30_000)

test.each([
  ['--times', 'many'],
  ['--seed', '1.5'],
  ['--duration', 'long'],
])('%s %s is refused', async (flag, value) => {
  const command = fairnessCommand().exitOverride().configureOutput({ writeErr: silent })
  await expect(command.parseAsync([flag, value], { from: 'user' })).rejects.toMatchObject({ code: 'commander.invalidArgument' })
})
