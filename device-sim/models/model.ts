// What a device model is: a pure state machine that turns passing time into samples.
import type { z } from 'zod'

/** What one look at the sensors gives; the device adds who, when and which number, and encodes it. */
export interface Sample {
  /** The last level of the topic: `telemetry`, `door`. */
  readonly stream: string
  readonly values: Readonly<Record<string, unknown>>
  /** Milliseconds since the epoch, when it happened before the step that tells it. */
  readonly at?: number
  /** A device behind this one: its own name in topic and payload, its own sequence. */
  readonly child?: string
}

export interface Step<S> {
  readonly state: S
  readonly samples: readonly Sample[]
}

/** Pure: the same parameters, times and random numbers give the same samples. Times are milliseconds since the epoch. */
export interface DeviceModel<P, S> {
  readonly summary: string
  readonly params: z.ZodType<P>
  /** How samples become bytes unless the scenario says otherwise. */
  readonly encoding?: 'json' | 'cbor'
  boot(params: P, at: number, random: () => number): S
  step(params: P, state: S, at: number, random: () => number): Step<S>
}
