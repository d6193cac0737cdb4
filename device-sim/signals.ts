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
