// A smart meter: power follows the household's day, and the register only ever goes up.
import { z } from 'zod'
import { between, dailyCurve, noise, round } from '../signals.ts'
import type { DeviceModel } from './model.ts'

const params = z.strictObject({
  meanWatts: z.number().min(0).max(100_000).default(450).describe('mean consumption over a day, W'),
  solarWatts: z.number().min(0).max(100_000).default(0).describe('peak of the panels on the roof, W'),
  outageChance: z.number().min(0).max(1).default(0).describe('chance at each reading that the mains are out; a `power-fail` event says so'),
})

export type MeterParams = z.output<typeof params>

export interface MeterState {
  readonly at: number
  readonly importedWh: number
  readonly exportedWh: number
  readonly household: number
}

export const meter = {
  summary: 'A smart meter: registers in kWh that never go back, power, voltage, frequency; power failures on a stream of their own.',
  params,
  boot: (_, at, random) => ({ at, importedWh: between(random, 1e6, 4e7), exportedWh: 0, household: between(random, 0.5, 1.8) }),
  step({ meanWatts, solarWatts, outageChance }, before, at, random) {
    const out = random() < outageChance
    const demand = Math.max(30, household(at, meanWatts * before.household) * (1 + noise(random, 0.15)))
    const sun = Math.max(0, dailyCurve(at, { mean: -0.2, swing: 1.2, peakHour: 12.5 })) * solarWatts * between(random, 0.7, 1)
    const watts = out ? 0 : demand - sun
    const wattHours = (watts * (at - before.at)) / 3_600_000
    const state = {
      ...before,
      at,
      importedWh: before.importedWh + Math.max(0, wattHours),
      exportedWh: before.exportedWh + Math.max(0, -wattHours),
    }
    const values = {
      imported: round(state.importedWh / 1_000, 3),
      exported: round(state.exportedWh / 1_000, 3),
      power: round(watts, 0),
      voltage: out ? 0 : round(230 + noise(random, 1.5), 1),
      frequency: out ? 0 : round(50 + noise(random, 0.01), 3),
    }
    const event = { stream: 'power-fail', values: { register: values.imported } }
    return { state, samples: out ? [event, { stream: 'telemetry', values }] : [{ stream: 'telemetry', values }] }
  },
} satisfies DeviceModel<MeterParams, MeterState>

/** Two humps: breakfast and evening. */
function household(at: number, mean: number): number {
  const evening = dailyCurve(at, { mean, swing: mean * 0.5, peakHour: 19 })
  return evening + mean * 0.25 * Math.max(0, dailyCurve(at, { mean: 0, swing: 1, peakHour: 7 }))
}
