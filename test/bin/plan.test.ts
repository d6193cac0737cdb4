import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { planCommand } from '../../bin/plan.ts'
import { type PlanReport, planText } from '../../bin/plan-text.ts'
import { estimatePath } from '../../cost/estimate.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { parseWorkload } from '../../cost/workload.ts'
import { expectGolden } from '../helpers/golden.ts'

let stdout = ''
let stderr = ''

beforeEach(() => {
  ;[stdout, stderr] = ['', '']
  process.exitCode = undefined
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

async function run(...args: readonly string[]): Promise<number> {
  await planCommand()
    .exitOverride()
    .parseAsync([...args], { from: 'user' })
  return Number(process.exitCode ?? 0)
}

const fleet = ['--devices', '10000', '--interval', '1m']

async function reported(...args: readonly string[]): Promise<PlanReport> {
  stdout = ''
  await run(...fleet, ...args, '--json')
  return JSON.parse(stdout)
}

/** Prices have goldens of their own. */
const fixed = [
  { path: 'a', title: 'one way', monthlyUsd: 1_234.5, outageUsd: 0.01 },
  { path: 'b', title: 'b', reason: 'nobody knows its price' },
]

test('a plan that holds, on a terminal', async () => {
  const report = await reported('--rate', '500/s')
  await expectGolden('plan/holds.txt', `${planText({ ...report, cost: fixed }, false)}\n`)
})

test('a plan that does not', async () => {
  const report = await reported('--rate', '100/s', '--spool', '256MiB', '--outage', '5d', '--region-size', 'small', '--queue', 'fifo')
  await expectGolden('plan/does-not-hold.txt', `${planText({ ...report, cost: fixed }, false)}\n`)
})

describe('exit codes', () => {
  test('0 where the plan holds', async () => expect(await run(...fleet)).toBe(0))
  test('3 where it never recovers, said clearly', async () => {
    expect(await run(...fleet, '--rate', '100/s')).toBe(3)
    expect(stdout).toContain('it never recovers: consumers handle 100/s and 166.7/s arrive, so the backlog grows')
  })
  test('2 for a Region without prices', async () => {
    expect(await run(...fleet, '--region', 'mars')).toBe(2)
    expect(stderr).toMatch(/^weir: region "mars" has no price book/)
    expect(stdout).toBe('')
  })
  test('2 for a payload no path takes', async () => {
    expect(await run(...fleet, '--payload', '9000000')).toBe(2)
    expect(stderr).toMatch(/^weir: --payload cannot be 9000000/)
  })
})

test.each([
  [['--devices', '0', '--interval', '1m'], 'a whole number above zero is needed'],
  [['--devices', '5'], "required option '--interval <duration>' not specified"],
  [[...fleet, '--interval', 'often'], 'write a duration such as'],
  [[...fleet, '--outage', '0s'], 'a duration above zero is needed'],
  [[...fleet, '--rate', '5'], 'write a rate such as'],
  [[...fleet, '--spool', 'big'], 'write a size such as'],
  [[...fleet, '--rate', '5/s', '--consumers', '3'], "'--consumers <n>' cannot be used with option '--rate <rate>'"],
  [[...fleet, '--topic', ''], 'it must not be empty'],
  [[...fleet, '--client-id', ''], 'it must not be empty'],
  [[...fleet, '--queue', 'pipe'], 'Allowed choices are standard, fifo'],
])('wrong usage: %j', async (args, sentence) => {
  await expect(run(...args)).rejects.toThrow(sentence)
})

describe('what consumers handle', () => {
  test('twice what arrives, unless somebody says', async () => {
    expect(await reported()).toMatchObject({ capacityAssumed: true, recovery: { capacityPerSecond: 1_000 / 3 } })
  })
  test('as many as are handled at a time, over how long each takes', async () => {
    expect(await reported('--consumers', '40', '--handling', '50ms')).toMatchObject({
      capacityAssumed: false,
      recovery: { capacityPerSecond: 800 },
    })
  })
})

test('the month is the price that weir cost gives, and the outage one CONNECT of each device more', async () => {
  const { cost } = await reported()
  const workload = parseWorkload({ devices: 10_000, intervalMs: 60_000, payloadBytes: 200, topicBytes: 49, clientIdBytes: 13 })
  const estimate = estimatePath('iot-mqtt', workload, loadPriceBook('us-east-1'))
  expect(cost[0]).toMatchObject({ path: 'iot-mqtt', monthlyUsd: Number(estimate.totalNanoDollars) / 1e9 })
  // The first tier of messaging is a dollar for a million.
  expect((cost[0] as { outageUsd: number }).outageUsd).toBeCloseTo(10_000 * 1e-6, 3)
})
