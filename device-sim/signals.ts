// What sensors read: curves, noise and the ways a sensor lies.

const dayMs = 86_400_000

/** A sine through the day around `mean`, highest at `peakHour` (UTC). */
export function dailyCurve(at: number, { mean, swing, peakHour = 15 }: { mean: number; swing: number; peakHour?: number }): number {
  return mean + swing * Math.cos((2 * Math.PI * (at - peakHour * 3_600_000)) / dayMs)
}

/** Close to a normal distribution with this standard deviation, never further than six of them. */
export function noise(random: () => number, deviation: number): number {
  let sum = 0
  for (let i = 0; i < 4; i++) sum += random()
  return (sum - 2) * Math.sqrt(3) * deviation
}

/** Uniform in [from, to). */
export function between(random: () => number, from: number, to: number): number {
  return from + random() * (to - from)
}

/** Time until the next event of a Poisson process with this mean. */
export function exponential(random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean
}

/** As a sensor would print it: `digits` after the point. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}

/** How a sensor lies; nothing by default. */
export interface Lie {
  readonly driftPerDay: number
  readonly stuckChance: number
  readonly stuckForMs: number
  readonly spikeChance: number
  readonly spikeBy: number
}

export interface LieMemory {
  readonly since: number
  readonly stuckUntil: number
  readonly stuckAt: number
}

/** What a lying sensor reports instead of `value`, and what it has to remember until the next reading. */
export function distort(
  lie: Lie,
  memory: LieMemory,
  value: number,
  at: number,
  random: () => number,
): { readonly value: number; readonly memory: LieMemory } {
  const [sticks, spikes, sign] = [random() < lie.stuckChance, random() < lie.spikeChance, random() < 0.5 ? -1 : 1]
  if (at < memory.stuckUntil) return { value: memory.stuckAt, memory }
  const drifted = value + (lie.driftPerDay * (at - memory.since)) / dayMs + (spikes ? sign * lie.spikeBy : 0)
  const reported = round(drifted, 3)
  return { value: reported, memory: sticks ? { ...memory, stuckUntil: at + lie.stuckForMs, stuckAt: reported } : memory }
}

/** Percent left of a battery that is empty after `days`, weaker when cold, never below zero. */
export function batteryAfter(percent: number, ms: number, { days, celsius = 20 }: { days: number; celsius?: number }): number {
  const coldFactor = celsius < 0 ? 1 - celsius / 40 : 1
  return Math.max(0, percent - (ms / dayMs / days) * 100 * coldFactor)
}
