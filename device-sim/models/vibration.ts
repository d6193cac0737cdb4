// A vibration sensor on a bearing that wears out: spectra of floats, small as CBOR and large as JSON.
import { z } from 'zod'
import { batteryAfter, between, noise, round } from '../signals.ts'
import type { DeviceModel } from './model.ts'

const params = z.strictObject({
  rpm: z.number().min(60).max(60_000).default(1_480).describe('speed of the shaft'),
  bins: z.number().int().min(8).max(2_048).default(64).describe('numbers in a spectrum'),
  wearPerDay: z.number().min(0).max(10).default(0.05).describe('how much the bearing gets worse each day; above 1 it is broken'),
})

export type VibrationParams = z.output<typeof params>

export interface VibrationState {
  readonly at: number
  readonly wear: number
  readonly battery: number
}

export const vibration = {
  summary: 'A vibration sensor: RMS, peak and a spectrum with the harmonics of a wearing bearing; binary (CBOR) payload.',
  encoding: 'cbor',
  params,
  boot: (_, at, random) => ({ at, wear: between(random, 0, 0.6), battery: between(random, 70, 100) }),
  step({ rpm, bins, wearPerDay }, before, at, random) {
    const days = (at - before.at) / 86_400_000
    const state = { at, wear: before.wear + wearPerDay * days, battery: batteryAfter(before.battery, at - before.at, { days: 400 }) }
    const spectrum = Array.from({ length: bins }, (_, bin) => round(amplitude(bin, bins, state.wear) * (1 + noise(random, 0.1)), 4))
    const rms = Math.sqrt(spectrum.reduce((sum, a) => sum + a * a, 0) / bins)
    const values = {
      rpm: round(rpm * (1 + noise(random, 0.002)), 0),
      rms: round(rms, 4),
      peak: Math.max(...spectrum),
      spectrum,
      battery: round(state.battery, 1),
    }
    return { state, samples: [{ stream: 'telemetry', values }] }
  },
} satisfies DeviceModel<VibrationParams, VibrationState>

/** The shaft at an eighth of the band, its harmonics, and the bearing's own tone between them that grows with wear. */
function amplitude(bin: number, bins: number, wear: number): number {
  const harmonic = (bin * 8) / bins
  const shaft = Math.exp(-(((harmonic % 1) - 0) ** 2) * 80) / (1 + harmonic)
  const bearing = wear ** 2 * Math.exp(-((harmonic - 3.57) ** 2) * 20)
  return 0.02 + shaft * 0.4 + bearing
}
