// Operators' rounding, against their own examples.
import { describe, expect, test } from 'vitest'
import { airtime, dataPlans } from '../../cost/airtime.ts'
import { parseUsd } from '../../cost/money.ts'
import { paths, wireOf } from '../../cost/paths.ts'
import { parseWorkload } from '../../cost/workload.ts'

const hourly = parseWorkload({ intervalMs: 3_600_000, devices: 1 })
const of = (plan: keyof typeof dataPlans, workload = hourly, path: 'iot-mqtt' | 'iot-https' = 'iot-https') =>
  airtime(dataPlans[plan], workload, wireOf(paths[path], workload), path === 'iot-mqtt')

describe('a minimum for each data session', () => {
  test('turns hourly messages into 7.2 MB or 18 MB a month', () => {
    expect(of('session-10kB').billedBytes).toBe(7_200_000)
    expect(of('session-25kB').billedBytes).toBe(18_000_000)
  })

  test('costs nothing extra while the radio never sleeps', () => {
    const busy = { ...hourly, intervalMs: 60_000 }
    expect(of('session-25kB', busy).billedBytes).toBe(of('by-the-kB', busy).billedBytes)
    expect(of('by-the-kB', busy).dataSessions).toBe(1)
  })

  test('is paid for each ping that wakes the radio', () => {
    const pinging = { ...hourly, keepAliveMs: 1_200_000 }
    expect(of('session-10kB', pinging, 'iot-mqtt')).toMatchObject({ dataSessions: 720 * 3, billedBytes: 720 * 3 * 10_000 })
  })
})

test('by the kB: each session is rounded up', () => {
  const { wireBytes, billedBytes, nanoDollars } = of('by-the-kB')
  expect(billedBytes).toBe(720 * Math.ceil(wireBytes / 720 / 1_000) * 1_000)
  expect(nanoDollars).toBe(parseUsd('1') + (BigInt(billedBytes) * parseUsd('0.03')) / 1_000_000n)
})

test('prepaid: by the byte, but never less than the years allow', () => {
  expect(of('prepaid-500MB').nanoDollars).toBe((BigInt(of('prepaid-500MB').billedBytes) * parseUsd('10')) / 500_000_000n)
  expect(of('prepaid-500MB', { ...hourly, intervalMs: 86_400_000 }).nanoDollars).toBe(83_333_333n)
})

test('a plan without a price has none', () => expect(of('records-of-6h').nanoDollars).toBeUndefined())
