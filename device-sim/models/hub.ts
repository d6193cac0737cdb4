// A hub that speaks for sensors which have no connection of their own.
import { z } from 'zod'
import { batteryAfter, between, dailyCurve, noise, round } from '../signals.ts'
import type { DeviceModel, Sample } from './model.ts'

const params = z.strictObject({
  children: z.number().int().min(1).max(500).default(8).describe('sensors behind the hub'),
  missingChance: z.number().min(0).max(1).default(0.02).describe('chance at each reading that a sensor was not heard'),
})

export type HubParams = z.output<typeof params>

interface Child {
  readonly celsius: number
  readonly battery: number
}

export interface HubState {
  readonly at: number
  readonly children: readonly Child[]
}

export const hub = {
  summary: 'A hub with sensors behind it: one reading for each sensor it heard, under the sensor’s own name, and one of its own.',
  params,
  boot: ({ children }, at, random) => ({
    at,
    children: Array.from({ length: children }, () => ({ celsius: between(random, 15, 25), battery: between(random, 20, 100) })),
  }),
  step({ missingChance }, before, at, random) {
    const samples: Sample[] = []
    const children = before.children.map((child, i) => {
      const battery = batteryAfter(child.battery, at - before.at, { days: 300 })
      const heard = random() >= missingChance
      const temperature = round(dailyCurve(at, { mean: child.celsius, swing: 2 }) + noise(random, 0.1), 2)
      const rssi = Math.round(between(random, -95, -45))
      if (heard) samples.push({ stream: 'telemetry', child: `s${i + 1}`, values: { temperature, battery: round(battery, 1), rssi } })
      return { ...child, battery }
    })
    samples.push({ stream: 'telemetry', values: { heard: samples.length, children: children.length } })
    return { state: { at, children }, samples }
  },
} satisfies DeviceModel<HubParams, HubState>
