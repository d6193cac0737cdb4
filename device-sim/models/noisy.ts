// The neighbour from hell: far more readings than anybody else, and larger ones.
import { z } from 'zod'
import { between, round } from '../signals.ts'
import type { DeviceModel } from './model.ts'

const params = z.strictObject({
  readingsEach: z.number().int().min(1).max(1_000).default(10).describe('readings every time the device speaks'),
  paddingBytes: z.number().int().min(0).max(120_000).default(200).describe('bytes of text added to each reading'),
})

export type NoisyParams = z.output<typeof params>

export interface NoisyState {
  readonly load: number
}

export const noisy = {
  summary: 'A device of a noisy tenant: a volley of padded readings where others send one.',
  params,
  boot: (_, _at, random) => ({ load: between(random, 0, 1) }),
  step({ readingsEach, paddingBytes }, { load }, _, random) {
    const next = Math.min(1, Math.max(0, load + between(random, -0.1, 0.1)))
    const padding = 'x'.repeat(paddingBytes)
    const samples = Array.from({ length: readingsEach }, () => ({
      stream: 'telemetry',
      values: { load: round(next, 3), value: round(random() * 100, 2), padding },
    }))
    return { state: { load: next }, samples }
  },
} satisfies DeviceModel<NoisyParams, NoisyState>
